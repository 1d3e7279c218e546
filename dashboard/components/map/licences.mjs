// Writes THIRD_PARTY_LICENSES.txt: every package whose code is in the bundle, with its version and licence text.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const root = new URL(".", import.meta.url);
const lock = JSON.parse(readFileSync(new URL("package-lock.json", root), "utf8"));
const bundled = Object.entries(lock.packages).filter(([path, about]) => path !== "" && !about.dev && !about.optional);
const parts = ["The map's bundle (dist/map.js) contains the following software.\n"];
for (const [path, about] of bundled.sort(([a], [b]) => (a < b ? -1 : 1))) {
  const folder = new URL(`${path}/`, root);
  const about2 = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
  const file = existsSync(folder) ? readdirSync(folder).find((name) => /^licen[cs]e(\.|$)/i.test(name)) : undefined;
  const author = typeof about2.author === "string" ? about2.author : (about2.author?.name ?? "its authors");
  const text = file ? readFileSync(new URL(file, folder), "utf8").trim() : `${about2.license} licence, by ${author}. The package ships no text of it.`;
  parts.push(`${"=".repeat(80)}\n${about2.name} ${about.version} (${about2.license})\n${"=".repeat(80)}\n\n${text}\n`);
}
// regl-scatterplot carries a copy of kdbush in its own source.
parts.push(`${"=".repeat(80)}\nkdbush 4.0.2 (ISC), inside regl-scatterplot\n${"=".repeat(80)}\n
ISC License

Copyright (c) 2018, Vladimir Agafonkin

Permission to use, copy, modify, and/or distribute this software for any purpose
with or without fee is hereby granted, provided that the above copyright notice
and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND
FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS
OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER
TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.
`);
writeFileSync(new URL("THIRD_PARTY_LICENSES.txt", root), parts.join("\n"));
