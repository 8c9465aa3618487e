/** Who is signed in. */
import { ref, shallowRef } from "vue";
import { type Account, api, done, meansSignedOut, Problem, whenSignedOut } from "@/api/client";

/** `unknown` until the drive has been asked. */
export const session = ref<"unknown" | "visitor" | "member">("unknown");
export const me = shallowRef<Account | null>(null);
/** Signed out by the drive while the page was open: said once at the sign-in. */
export const wasSignedOut = ref(false);
/** The account was frozen: said at the sign-in, too. */
export const wasFrozen = ref(false);

whenSignedOut((code) => {
  if (session.value === "member") wasSignedOut.value = true;
  // Somebody who comes back to the page should hear it; at the sign-in itself the attempt's answer says it.
  if (session.value !== "visitor") wasFrozen.value = code === "account-frozen";
  forget();
});

function forget(): void {
  session.value = "visitor";
  me.value = null;
}

/** Asks the drive who this is, once. */
export async function ensureSession(): Promise<void> {
  if (session.value !== "unknown") return;
  try {
    await refreshMe();
  } catch (error) {
    if (meansSignedOut(Problem.of(error).code)) forget();
    else throw error;
  }
}

async function refreshMe(): Promise<void> {
  me.value = await done(api.GET("/me"));
  session.value = "member";
}

export async function signIn(name: string, password: string): Promise<void> {
  await done(api.POST("/session", { body: { user_name: name, password } }));
  wasSignedOut.value = false;
  wasFrozen.value = false;
  await refreshMe();
}

/** Ends the session here. The page forgets it even if the drive does not answer. */
export async function signOut(): Promise<void> {
  try {
    await done(api.DELETE("/session"));
  } finally {
    forget();
  }
}
