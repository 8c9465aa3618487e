/** Why a form was refused, in one sentence; when it can be tried again, that too. */
import { Problem } from "@/api/client";
import { relative } from "@/domain/time";
import { i18n } from "@/i18n";
import { locale } from "@/state/settings";
import { words } from "@/state/toasts";

export function refusal(error: unknown): string {
  const seconds = Problem.of(error).body.retry_after_s;
  if (!seconds) return words(error);
  const now = new Date();
  const when = relative(new Date(now.getTime() + seconds * 1000).toISOString(), now, locale());
  return `${words(error)} ${i18n.global.t("people.try-again", { when })}`;
}
