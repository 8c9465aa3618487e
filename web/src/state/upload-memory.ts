/**
 * Uploads that are not finished, remembered by this browser across loads of the page. Without a store, as in some
 * private windows, they last as long as the page.
 */

export interface Remembered {
  /** The upload's id on the drive. */
  id: string;
  account: string;
  name: string;
  /** The name of its group, and the folders below it, as they are shown. */
  group: string;
  below: string;
  parent: string;
  size: number;
  lastModified: number;
  /** It gets a link when it is there. Not said by earlier versions of the page. */
  picture?: boolean;
  /** Opens the file again where the browser lets it. */
  handle: FileSystemFileHandle | null;
}

const DATABASE = "cairn-uploads";
const STORE = "uploads";

let opening: Promise<IDBDatabase | null> | null = null;

function database(): Promise<IDBDatabase | null> {
  opening ??= new Promise((resolve) => {
    try {
      const asked = indexedDB.open(DATABASE, 1);
      asked.onupgradeneeded = () => asked.result.createObjectStore(STORE, { keyPath: "id" });
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
  return opening;
}

async function within<T>(
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T | null> {
  const db = await database();
  if (!db) return null;
  return await new Promise((resolve) => {
    try {
      const asked = work(db.transaction(STORE, mode).objectStore(STORE));
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => resolve(null);
    } catch {
      // What can't be kept, a handle perhaps, is not remembered.
      resolve(null);
    }
  });
}

export async function remember(upload: Remembered): Promise<void> {
  await within("readwrite", (store) => store.put(upload));
}

export async function forget(id: string): Promise<void> {
  await within("readwrite", (store) => store.delete(id));
}

/** Those of an account. */
export async function remembered(account: string): Promise<Remembered[]> {
  const all = await within("readonly", (store) => store.getAll() as IDBRequest<Remembered[]>);
  return (all ?? []).filter((upload) => upload.account === account);
}
