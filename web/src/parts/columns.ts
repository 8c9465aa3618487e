/** What a list shows of a row, besides its icon and name. */
import type { Row } from "@/state/listing";
import type { Order } from "@/state/settings";

export interface Column {
  id: string;
  /** Its words, translated. */
  label: string;
  text: (row: Row) => string;
  /** The whole of a text that is short. */
  title?: (row: Row) => string;
  /** The list can be sorted by it. */
  order?: Order;
  /** A width, as classes; what is narrow is hidden by classes, too. */
  look: string;
  end?: boolean;
  /** Shown in the second line on a phone; where it does not explain itself, in these words. */
  phone?: true | ((row: Row) => string);
}
