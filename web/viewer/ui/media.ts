// What the screen is like, for what styles alone cannot do.
import { useEffect, useState } from "preact/hooks";

export function useMedia(condition: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(condition).matches);
  useEffect(() => {
    const query = matchMedia(condition);
    const hear = () => setMatches(query.matches);
    hear();
    query.addEventListener("change", hear);
    return () => query.removeEventListener("change", hear);
  }, [condition]);
  return matches;
}
