import { defineConfig, type Plugin, transformWithEsbuild } from "vite";

// Vite leaves the white space in an ES module that is built as a library; a browser does not need it.
const minified: Plugin = {
  name: "minified",
  renderChunk: { order: "post", handler: (code) => transformWithEsbuild(code, "map.js", { minify: true, target: "es2022", legalComments: "inline" }) },
};

// One module and one style sheet, named without a hash: Python puts the hash of their bytes in the address.
export default defineConfig({
  plugins: [minified],
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    sourcemap: false,
    cssMinify: true,
    lib: { entry: "src/main.ts", formats: ["es"], fileName: () => "map.js", cssFileName: "map" },
  },
});
