/* Colours, type and defaults of the whole application. Also read by vite.config.ts, which turns it into a style sheet. */
import { createTheme, Table, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

const brand: MantineColorsTuple = [
  '#eef0ff',
  '#dde1fb',
  '#b8c0f3',
  '#919eec',
  '#7081e6',
  '#5a6ee2',
  '#4a5fe0',
  '#3f51d8',
  '#3345b5',
  '#25379b',
];

/* Bluish greys instead of Mantine's neutral ones, to go with the surfaces below. */
const dark: MantineColorsTuple = [
  '#d5d9e1',
  '#b8bec9',
  '#98a1b0',
  '#6b7482',
  '#3d4450',
  '#2e343f',
  '#222731',
  '#181b22',
  '#1d212a',
  '#0d0f14',
];

const font =
  "'Inter Variable', system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif";

export const theme = createTheme({
  primaryColor: 'brand',
  primaryShade: { light: 7, dark: 6 },
  colors: { brand, dark },
  fontFamily: font,
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace",
  headings: { fontFamily: font, fontWeight: '650' },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: { Table: Table.extend({ defaultProps: { borderColor: 'var(--dms-line)' } }) },
});

/* Mantine's dimmed grey is below the 4.5:1 that WCAG AA asks of small text; these are above it. */
export const cssVariablesResolver: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#5a6270',
    '--mantine-color-placeholder': '#6b7280',
    '--dms-canvas': '#f6f7fb',
    '--dms-surface': '#ffffff',
    '--dms-surface-hover': '#f3f4fa',
    '--dms-line': '#e3e6ee',
    '--dms-mark': '#ffe58a',
    '--dms-mark-text': '#1b1e25',
    '--dms-mark-current': '#ffb84d',
    '--dms-link': '#3345b5',
    '--dms-shadow': '0 8px 30px rgb(20 25 60 / 14%)',
  },
  dark: {
    '--mantine-color-dimmed': '#a3abb8',
    '--mantine-color-placeholder': '#98a1b0',
    '--mantine-color-body': '#181b22',
    '--mantine-color-brand-light': 'rgb(112 129 230 / 18%)',
    '--mantine-color-brand-light-hover': 'rgb(112 129 230 / 26%)',
    '--mantine-color-brand-light-color': '#c4ccfd',
    '--dms-canvas': '#12151b',
    '--dms-surface': '#181b22',
    '--dms-surface-hover': '#20242d',
    '--dms-line': '#2b303b',
    '--dms-mark': '#6d5a14',
    '--dms-mark-text': '#ffffff',
    '--dms-mark-current': '#8f5d02',
    '--dms-link': '#a9b5fb',
    '--dms-shadow': '0 8px 30px rgb(0 0 0 / 50%)',
  },
});
