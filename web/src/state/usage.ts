/** What the account stores and may store. */
import { shallowRef } from "vue";
import { api, done, type Schemas } from "@/api/client";
import { onChange } from "./changes";

export const usage = shallowRef<Schemas["Usage"] | null>(null);

/** Changes that come together are asked about once. */
const SETTLE_MS = 400;
let timer: ReturnType<typeof setTimeout> | undefined;

export async function refreshUsage(): Promise<void> {
  try {
    usage.value = await done(api.GET("/usage"));
  } catch {
    // The old number stands until the drive answers again.
  }
}

onChange((change) => {
  if (change.what === "shares") return;
  clearTimeout(timer);
  timer = setTimeout(refreshUsage, SETTLE_MS);
});
