/* The files in a drop, with those in dropped folders. */

const maxFiles = 5000;

/** Must be called inside the drop event: the list is empty afterwards. */
export function filesOf(transfer: DataTransfer): Promise<File[]> {
  const entries = Array.from(transfer.items)
    .filter((item) => item.kind === 'file')
    .map((item) => item.webkitGetAsEntry());
  if (entries.every((entry) => entry === null || entry.isFile)) return Promise.resolve(Array.from(transfer.files));
  return walk(entries.filter((entry) => entry !== null));
}

async function walk(entries: FileSystemEntry[]): Promise<File[]> {
  const files: File[] = [];
  const todo = [...entries];
  for (let entry = todo.shift(); entry !== undefined && files.length < maxFiles; entry = todo.shift()) {
    if (entry.isFile) files.push(await fileOf(entry as FileSystemFileEntry));
    else if (entry.isDirectory) todo.push(...(await childrenOf(entry as FileSystemDirectoryEntry)));
  }
  return files.filter((file) => !file.name.startsWith('.'));
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function childrenOf(entry: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = entry.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all; /* readEntries gives at most a hundred at a time */
    all.push(...some);
  }
}
