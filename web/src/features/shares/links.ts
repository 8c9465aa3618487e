/** What of the drive's links the dialog and the list need alike. */
import type { ComposerTranslation } from "vue-i18n";
import type { Share } from "@/api/client";
import { linkOf } from "@/domain/shares";
import { relative } from "@/domain/time";
import { locale } from "@/state/settings";

/** The code of a link, as far as it can be shown. */
export function codeOf(share: Share): string | null {
  return share.code.kind === "generated" ? share.code.text : null;
}

export function urlOf(share: Share): string {
  return linkOf(location.origin, share.token);
}

/** What is copied: the link, and the code in words. */
export function textOf(t: ComposerTranslation, link: string, code: string | null): string {
  return code === null ? link : t("shares.copy.text", { link, code });
}

/** The terms of a link in words. */
export function termsOf(t: ComposerTranslation, share: Share, now: Date): string[] {
  // What it allowed no longer matters.
  if (share.revoked) {
    return [t("shares.terms.made", { when: relative(share.created_at, now, locale()) })];
  }
  const code = codeOf(share);
  const words = [
    share.code.kind === "none"
      ? t("shares.terms.no-code")
      : code === null
        ? t("shares.terms.code-hidden")
        : t("shares.terms.code", { code }),
  ];
  if (share.expires_at === null) words.push(t("shares.terms.endless"));
  else {
    const key = new Date(share.expires_at) > now ? "ends" : "ended";
    words.push(t(`shares.terms.${key}`, { when: relative(share.expires_at, now, locale()) }));
  }
  if (share.downloads_left !== null) {
    words.push(
      t(
        "shares.terms.left",
        { count: share.downloads_left.toLocaleString(locale()) },
        share.downloads_left,
      ),
    );
  }
  // The drive shows none there that asks for a code.
  if (share.listed && share.code.kind === "none") words.push(t("shares.terms.listed"));
  return words;
}
