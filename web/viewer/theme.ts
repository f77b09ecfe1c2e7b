// Dark and light: as the system has it, or as the visitor chose.
import { Preference } from "./observed";

export const theme = new Preference("theme", ["system", "dark", "light"], "system");

export function applyTheme(): void {
  const apply = () => {
    if (theme.value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
  };
  apply();
  theme.subscribe(apply);
}
