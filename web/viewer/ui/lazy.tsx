// Parts of the page that are loaded when they are first wanted, so that the first load stays small.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let loaded: ComponentType<P> | null = null;
  return function Lazy(props: P) {
    const [Part, setPart] = useState<ComponentType<P> | null>(() => loaded);
    const [isMissing, setIsMissing] = useState(false);
    useEffect(() => {
      if (Part) return;
      load().then(
        (part) => {
          loaded = part;
          setPart(() => part);
        },
        () => { setIsMissing(true); },
      );
    }, []);
    if (Part) return <Part {...props} />;
    return isMissing ? (
      <section class="notice" role="alert">
        <p>A part of the page could not be loaded. Load the page again.</p>
      </section>
    ) : null;
  };
}
