/** What screen and pointer there is. */
import { onScopeDispose, type Ref, ref } from "vue";

/** Does the screen match, now and later? */
export function useMedia(query: string): Ref<boolean> {
  const list = window.matchMedia(query);
  const matches = ref(list.matches);
  const onChange = (event: MediaQueryListEvent): void => {
    matches.value = event.matches;
  };
  list.addEventListener("change", onChange);
  onScopeDispose(() => list.removeEventListener("change", onChange));
  return matches;
}

/** Narrower than the token `sm`: rows have two lines. */
export const PHONE = "(width < 600px)";
/** Narrower than the token `md`: panes are sheets. */
export const NARROW = "(width < 900px)";
