/** What is looked at: a list, and a place in it. Shown over whatever opened it (`features/preview/host.vue`). */
import { shallowRef } from "vue";

/** A file as the preview needs it. */
export interface Shown {
  id: string;
  kind: string;
  name: string;
  size: number | null;
  media_type: string | null;
  modified_at: string;
}

export interface Preview {
  files: readonly Shown[];
  index: number;
  contentUrl: (id: string, save?: boolean) => string;
  thumbnailUrl: (id: string, edge: 64 | 160 | 320 | 640 | 1280) => string;
  /** Makes a link of a file; not of somebody else's. */
  share?: (id: string) => void;
  /** Told where the preview is, so that the list behind it can follow; with `focus` when it is left there. */
  moved?: (id: string, focus: boolean) => void;
}

export const preview = shallowRef<Preview | null>(null);

export function show(wanted: Preview): void {
  preview.value = wanted;
}
