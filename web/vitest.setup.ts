/* Browsers and Node 20 have these; Node 18, which the tests run on too, keeps them in modules. */
import { File } from 'node:buffer';
import { webcrypto } from 'node:crypto';

if (!('crypto' in globalThis)) Object.defineProperty(globalThis, 'crypto', { value: webcrypto, configurable: true });
if (!('File' in globalThis)) Object.defineProperty(globalThis, 'File', { value: File, configurable: true });
