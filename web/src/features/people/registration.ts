/** Whether everybody may make an account: `null` until the drive has said so, or while it does not answer. */
import { type Ref, ref } from "vue";
import { api, done } from "@/api/client";

export function registration(): Ref<boolean | null> {
  const open = ref<boolean | null>(null);
  done(api.GET("/about")).then(
    (about) => {
      open.value = about.open_registration;
    },
    () => {
      // Whoever tries to sign in or up hears that the drive is away.
    },
  );
  return open;
}
