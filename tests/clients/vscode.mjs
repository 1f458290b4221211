// VS Code's own MCP client, in a browser without a window: starts each server of a
// workspace by its commands, and prints what its output says of it, as JSON.
//
//     node vscode.mjs MODULES URL PROFILE SERVER...
//
// MODULES is where puppeteer-core is, URL that of a code-server with the workspace open,
// PROFILE a folder for the browser. Run by tests/clients/agents.py. Exits with 1 when a
// step is not there in time; what was on the screen is then in PROFILE/screen.png.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [modules, url, profile, ...servers] = process.argv.slice(2);
const { default: puppeteer } = await import(
  createRequire(join(modules, 'any.js')).resolve('puppeteer-core')
);
const LONGEST_WAIT = 40_000;
const LONGEST_LIST = 8_000;

/** Takes the entry of the open list that is named so; is it there? */
async function choose(page, name) {
  const deadline = Date.now() + LONGEST_LIST;
  while (Date.now() < deadline) {
    await sleep(250); // the list moves while it fills
    const focused = await page.evaluate(
      () => document.querySelector('.quick-input-widget .monaco-list-row.focused')?.getAttribute('aria-label') ?? '',
    );
    if (focused === name || focused.startsWith(`${name},`)) {
      await page.keyboard.press('Enter');
      return true;
    }
    await page.keyboard.press('ArrowDown');
  }
  return false;
}

/** Opens what can be done with a server, and does one thing of it. */
async function act(page, server, action) {
  // Whatever else the window opens meanwhile closes a list: it is opened again.
  for (let attempt = 0; attempt < 4; attempt += 1) {
    await page.keyboard.press('Escape');
    await page.keyboard.press('F1');
    await page.waitForSelector('.quick-input-widget input', { visible: true, timeout: LONGEST_WAIT });
    await page.keyboard.type('MCP: List Servers');
    if (!await choose(page, 'MCP: List Servers') || !await choose(page, server)) continue;
    // What runs can't be started again.
    if (await choose(page, action) || action === 'Start Server') return;
  }
  throw new Error(`can't be done with ${server}: ${action}`);
}

/** The lines of the output that is shown. */
function output(page) {
  return page.evaluate(() => [...document.querySelectorAll('.part.panel .view-line')]
    .sort((a, b) => a.offsetTop - b.offsetTop)
    .map((line) => line.innerText.replaceAll('\u00a0', ' ')));
}

async function start(page, server) {
  const deadline = Date.now() + 2 * LONGEST_WAIT;
  for (;;) {
    // A window that is still opening forgets what it was asked.
    await act(page, server, 'Start Server');
    await act(page, server, 'Show Output');
    for (let wait = 0; wait < 20; wait += 1) {
      await sleep(250);
      const lines = await output(page);
      if (lines.some((line) => /Discovered \d+ tools|Error state|\[error\]/.test(line))) return lines;
      if (Date.now() > deadline) throw new Error(`${server} found no tools: ${lines.join('\n')}`);
    }
  }
}

const browser = await puppeteer.launch({
  executablePath: '/usr/bin/chromium-headless-shell',
  args: ['--no-sandbox'], // as root it doesn't start otherwise; it sees one page, ours
  userDataDir: profile,
});
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1600, height: 1200 });
  try {
    await page.goto(url, { waitUntil: 'domcontentloaded', timeout: LONGEST_WAIT });
    // The servers of the workspace are known once its folder is shown.
    await page.waitForSelector('.explorer-folders-view .monaco-list-row', { timeout: LONGEST_WAIT });
    const seen = {};
    for (const server of servers) seen[server] = await start(page, server);
    console.log(JSON.stringify(seen));
  } catch (error) {
    await page.screenshot({ path: join(profile, 'screen.png') });
    throw error;
  }
} finally {
  await browser.close();
}
