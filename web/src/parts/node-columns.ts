/** Columns that lists of folders and files have. */
import { size } from "@/domain/bytes";
import { full, short } from "@/domain/time";
import { i18n } from "@/i18n";
import { locale } from "@/state/settings";
import type { Column } from "./columns";

export function sizeColumn(): Column {
  return {
    id: "size",
    label: i18n.global.t("common.size"),
    text: (row) => (row.size === null ? "" : size(row.size, locale())),
    order: "size",
    look: "w-24 @max-[440px]:hidden",
    end: true,
    phone: true,
  };
}

export function modifiedColumn(): Column {
  const now = new Date();
  return {
    id: "modified",
    label: i18n.global.t("common.modified"),
    text: (row) => short(row.modified_at, now, locale()),
    title: (row) => full(row.modified_at, locale()),
    order: "modified",
    look: "w-32 @max-[560px]:hidden",
    end: true,
    phone: true,
  };
}

export function downloadsColumn(): Column {
  return {
    id: "downloads",
    label: i18n.global.t("files.downloads"),
    text: (row) =>
      row.kind === "file" ? new Intl.NumberFormat(locale()).format(row.downloads) : "",
    order: "downloads",
    look: "w-28 @max-[760px]:hidden",
    end: true,
  };
}

export function folderColumn(): Column {
  const { t } = i18n.global;
  const name = (folder: string | null | undefined): string => folder ?? t("frame.nav.files");
  return {
    id: "folder",
    label: t("files.folder"),
    text: (row) => name(row.folder),
    title: (row) => name(row.folder),
    look: "w-40 @max-[640px]:hidden",
    phone: true,
  };
}
