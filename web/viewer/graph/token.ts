// The token that lets the page in: asked for once, kept for as long as the tab lives.
import { type Observed, State } from "../observed";
import { keep, kept } from "../storage";

const PLACE = "jobtail.token";

interface Request {
  /** Whether a token was shown that the service did not take. */
  isRefused: boolean;
  answer(token: string | null): void;
}

const request = new State<Request | null>(null);
let asking: Promise<string | null> | null = null;

/** Set while the visitor is to be asked; the dialog watches it. */
export const tokenRequest: Observed<Request | null> = request;

export function currentToken(): string | null {
  return kept(PLACE, "session");
}

export function forgetToken(): void {
  keep(PLACE, null, "session");
}

/** Asks for another token than the one that was refused; null if the visitor has none. All who ask share one question. */
export function askForToken(refused: string | null): Promise<string | null> {
  const present = currentToken();
  if (present !== refused) return Promise.resolve(present); // somebody asked meanwhile
  asking ??= new Promise<string | null>((resolve) => {
    request.set({ isRefused: refused !== null, answer: resolve });
  }).then((token) => {
    request.set(null);
    asking = null;
    if (token === null) forgetToken();
    else keep(PLACE, token, "session");
    return token;
  });
  return asking;
}
