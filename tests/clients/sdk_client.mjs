// A client of the TypeScript SDK against the real server: are tools listed and
// called, results as their schemas say, progress told, and calls that are given up
// ended on the server?
//
//     node sdk_client.mjs MODULES BINARY v1|v2 stdio|http legacy|modern|auto
//
// MODULES is where the packages are. Run by crates/reversecore/tests/clients.rs with
// what scripts/setup-tools prepares. Exits with 1 when a check fails.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, openSync, closeSync, ftruncateSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, connect as connectTo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [modules, binary, sdk, kind, era] = process.argv.slice(2);
const require = createRequire(join(modules, 'any.js'));
const PATH = '/usr/local/bin:/usr/bin:/bin';
const LONGEST_WAIT = 30_000;
const MODES = { legacy: 'legacy', auto: 'auto', modern: { pin: '2026-07-28' } };

function packages() {
  if (sdk === 'v2') {
    return { ...require('@modelcontextprotocol/client'), ...require('@modelcontextprotocol/client/stdio') };
  }
  return {
    ...require('@modelcontextprotocol/sdk/client/index.js'),
    ...require('@modelcontextprotocol/sdk/client/stdio.js'),
    ...require('@modelcontextprotocol/sdk/client/streamableHttp.js'),
  };
}

async function until(what, condition) {
  const deadline = Date.now() + LONGEST_WAIT;
  while (!(await condition())) {
    assert(Date.now() < deadline, `did not happen in ${LONGEST_WAIT / 1000} s: ${what}`);
    await sleep(50);
  }
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function listens(port) {
  return new Promise((resolve) => {
    const probe = connectTo(port, '127.0.0.1');
    probe.once('connect', () => { probe.destroy(); resolve(true); });
    probe.once('error', () => resolve(false));
  });
}

/** A client in its session, and what ends it. */
async function connected(workspace) {
  const { Client, StdioClientTransport, StreamableHTTPClientTransport } = packages();
  const options = sdk === 'v2' ? { versionNegotiation: { mode: MODES[era] } } : {};
  const client = new Client({ name: 'test', version: '1' }, options);
  const args = ['serve', '--workspace', workspace];
  const env = { PATH, LOG_LEVEL: 'error' };
  if (kind === 'stdio') {
    await client.connect(new StdioClientTransport({ command: binary, args, env }));
    return { client, end: () => client.close() };
  }
  const port = await freePort();
  const server = spawn(binary, [...args, '--http', `127.0.0.1:${port}`], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  await until('the server listens', () => listens(port));
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)));
  const gone = new Promise((resolve) => server.once('exit', resolve));
  return { client, end: async () => { await client.close(); server.kill(); await gone; } };
}

async function call(client, name, args = {}, options = {}) {
  const request = { name, arguments: args };
  // The older SDK takes the schema of the result as the second argument.
  return sdk === 'v2' ? client.callTool(request, options) : client.callTool(request, undefined, options);
}

async function succeed(client, name, args) {
  const result = await call(client, name, args);
  assert.equal(result.structuredContent?.status, 'success', JSON.stringify(result).slice(0, 2000));
  assert(result.content.some((part) => part.type === 'text' && part.text));
  return result.structuredContent;
}

/** How many calls of this tool have been cancelled. */
async function cancelled(client, tool) {
  const { data } = await succeed(client, 'get_tool_metrics', { tool });
  return data.tools.find((metrics) => metrics.tool === tool)?.errors?.CANCELLED ?? 0;
}

const checks = {
  async catalogue(client) {
    // From here on the SDK validates each result against its tool's schema.
    const { tools } = await client.listTools();
    assert(tools.length >= 20, `${tools.length} tools`);
    for (const tool of tools) {
      assert.equal(tool.outputSchema?.type, 'object', tool.name);
      assert.equal(tool.inputSchema.additionalProperties, false, tool.name);
    }
  },
  async calls(client) {
    const { data, metadata } = await succeed(client, 'run_file', { file_path: 'ls' });
    assert.match(data.description, /ELF 64-bit/);
    assert.equal(metadata.tool, 'run_file');
    await succeed(client, 'parse_binary', { file_path: 'ls' });
    await succeed(client, 'run_strings', { file_path: 'ls', pattern: 'usage' });
    const refused = await call(client, 'run_file', { file_path: '../ls' });
    assert.equal(refused.isError, true);
    assert.equal(refused.structuredContent.error_code, 'PATH_NOT_ALLOWED');
    await assert.rejects(call(client, 'run_everything'), /run_everything/);
  },
  async prompts(client) {
    const { prompts } = await client.listPrompts();
    assert(prompts.some((prompt) => prompt.name === 'triage'));
    const { messages } = await client.getPrompt({ name: 'triage', arguments: { file_path: 'ls' } });
    assert.match(messages[0].content.text, /`ls`/);
    const { completion } = await client.complete({
      ref: { type: 'ref/prompt', name: 'triage' }, argument: { name: 'file_path', value: 'l' },
    });
    assert.deepEqual(completion.values, ['ls']);
  },
  async resources(client) {
    const { resourceTemplates } = await client.listResourceTemplates();
    assert(resourceTemplates.some((template) => template.uriTemplate === 'reversecore://job/{id}'));
    await assert.rejects(client.readResource({ uri: 'reversecore://artifact/none' }));
  },
  async 'progress, and cancel by a signal'(client) {
    const given = new AbortController();
    const told = [];
    const endless = call(client, 'get_file_info', { file_path: 'huge' }, {
      signal: given.signal,
      onprogress: (progress) => { told.push(progress); given.abort(); },
    });
    await assert.rejects(endless);
    assert(told.length > 0 && told[0].progress >= 1, JSON.stringify(told));
    await until('the call is cancelled', async () => (await cancelled(client, 'get_file_info')) === 1);
  },
  async 'cancel by a time-out'(client) {
    await assert.rejects(call(client, 'get_file_info', { file_path: 'huge' }, { timeout: 1000 }), /time/i);
    await until('the call is cancelled', async () => (await cancelled(client, 'get_file_info')) === 2);
  },
};

const workspace = mkdtempSync(join(tmpdir(), 'reversecore-client-'));
copyFileSync('/bin/ls', join(workspace, 'ls'));
const huge = openSync(join(workspace, 'huge'), 'w');
ftruncateSync(huge, 2 ** 36);
closeSync(huge);
try {
  const { client, end } = await connected(workspace);
  for (const [name, check] of Object.entries(checks)) {
    await check(client);
    console.log(`${name}: ok`);
  }
  await end();
} finally {
  rmSync(workspace, { recursive: true });
}
