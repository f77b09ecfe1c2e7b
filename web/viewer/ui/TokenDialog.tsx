// Asks for the token that the service wants.
import { useEffect, useRef } from "preact/hooks";

import { tokenRequest } from "../graph/token";
import { useObserved } from "../observed";

export function TokenDialog() {
  const request = useObserved(tokenRequest);
  const dialog = useRef<HTMLDialogElement>(null);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (request) dialog.current?.showModal();
  }, [request]);
  if (!request) return null;
  const show = (event: SubmitEvent) => {
    event.preventDefault();
    const token = field.current?.value.trim();
    if (token) request.answer(token);
  };
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="token-title" onCancel={() => request.answer(null)}>
      <form onSubmit={show}>
        <h2 id="token-title">{request.isRefused ? "This token is not valid" : "The service wants a token"}</h2>
        <p>
          {request.isRefused
            ? "It may have expired or been revoked. Show another one."
            : "It needs the scope read. Whoever runs the service makes one with jobtail-server token create."}
        </p>
        <label class="field">
          Token
          <input ref={field} type="password" autocomplete="off" spellcheck={false} required />
        </label>
        <p class="muted">It stays in this tab, and is forgotten when you close it.</p>
        <p class="actions">
          <button type="submit" class="button primary">
            Go on
          </button>
          <button type="button" class="button" onClick={() => request.answer(null)}>
            Cancel
          </button>
        </p>
      </form>
    </dialog>
  );
}
