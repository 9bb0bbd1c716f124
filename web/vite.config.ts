/// <reference types="vitest/config" />
import { fileURLToPath } from 'node:url';
import { convertCssVariables, defaultCssVariablesResolver, mergeMantineTheme, DEFAULT_THEME } from '@mantine/core';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { cssVariablesResolver, theme } from './src/app/theme';

/*
 * The server sends `style-src 'self'`, so nothing may put a <style> element into the page at run time. Mantine would do
 * so with the variables of its theme; here they become an ordinary style sheet, made while building.
 */
function themeVariables(): Plugin {
  const id = 'virtual:theme-variables.css';
  const resolved = '\0' + id;
  return {
    name: 'theme-variables',
    resolveId: (source) => (source === id ? resolved : null),
    load: (source) => (source === resolved ? themeCss() : null),
  };
}

function themeCss(): string {
  const full = mergeMantineTheme(DEFAULT_THEME, theme);
  const base = defaultCssVariablesResolver(full);
  const own = cssVariablesResolver(full);
  return convertCssVariables({
    variables: { ...base.variables, ...own.variables },
    light: { '--mantine-color-scheme': 'light', ...base.light, ...own.light },
    dark: { '--mantine-color-scheme': 'dark', ...base.dark, ...own.dark },
  });
}

const served = ['/api', '/health', '/docs', '/openapi.json', '/version', '/s/', '/mcp', '/.well-known'];
const target = process.env.DMS_URL ?? 'http://localhost:8000';

export default defineConfig({
  plugins: [react(), themeVariables()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  server: { proxy: Object.fromEntries(served.map((path) => [path, { target }])) },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0 /* data: URLs are not allowed for fonts and scripts */,
    chunkSizeWarningLimit: 450,
    rollupOptions: {
      input: ['index.html', 'docs.html'].map((page) => fileURLToPath(new URL(page, import.meta.url))),
      output: {
        manualChunks: (path) => (/node_modules\/(react|react-dom|scheduler|@tanstack|wouter)\//.test(path) ? 'react' : undefined),
      },
    },
  },
  test: { environment: 'node', include: ['src/**/*.test.ts'], setupFiles: ['./vitest.setup.ts'] },
});
