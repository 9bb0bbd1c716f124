/*
 * The multipart body of an upload. Built by hand with a boundary taken from the idempotency key, so that a repeated
 * upload is the same to the byte: the server then answers what it answered the first time instead of storing a twin.
 */

export function multipartBody(file: File, key: string): Blob {
  const boundary = 'dms-' + key;
  const head =
    `--${boundary}\r\n` +
    `Content-Disposition: form-data; name="file"; filename="${escapeName(file.name)}"\r\n` +
    `Content-Type: ${contentType(file)}\r\n\r\n`;
  return new Blob([head, file, `\r\n--${boundary}--\r\n`], { type: 'multipart/form-data; boundary=' + boundary });
}

/* As browsers do for forms (HTML "multipart/form-data encoding algorithm"). */
function escapeName(name: string): string {
  return name.replace(/\r/g, '%0D').replace(/\n/g, '%0A').replace(/"/g, '%22');
}

function contentType(file: File): string {
  return /^[\w.+-]+\/[\w.+-]+$/.test(file.type) ? file.type : 'application/octet-stream';
}
