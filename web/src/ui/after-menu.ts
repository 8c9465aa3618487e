/** A menu gives the focus back first, and only then does what was chosen: what it does may move the focus itself. */
import type { MenuItem } from "./menu-items";

export function afterMenu(): {
  opened: (open: boolean) => void;
  choose: (item: MenuItem) => void;
  closed: (event: Event) => void;
} {
  let before: HTMLElement | null = null;
  let chosen: MenuItem | null = null;
  return {
    opened: (open) => {
      if (!open) return;
      before = document.activeElement instanceof HTMLElement ? document.activeElement : null;
      chosen = null;
    },
    choose: (item) => {
      chosen = item;
    },
    closed: (event) => {
      const item = chosen;
      chosen = null;
      if (!item) return;
      event.preventDefault();
      before?.focus({ preventScroll: true });
      item.run();
    },
  };
}
