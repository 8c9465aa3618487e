/** Where there is no room for the pane with facts it is a sheet, open only while it is looked at. */
import { ref } from "vue";
import { settings } from "./settings";

export const sheet = ref(false);

export function toggleDetails(): void {
  if (window.matchMedia("(width < 900px)").matches) sheet.value = !sheet.value;
  else settings.details = !settings.details;
}
