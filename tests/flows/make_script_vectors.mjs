// Runs a table of scripts in real JavaScript and writes what each gives, as JSON, to script_vectors.json.
//   node tests/flows/make_script_vectors.mjs
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const $ = {
  input: { company: "O'Reilly & Söhne `${x}` </script> \u2028", n: 3, tags: ['b', 'a', 'c'], empty: '', half: '\ud83d', big: 9007199254740993, nested: { a: { b: [1, { c: null }] } } },
  steps: {
    fetch: { status: 'success', output: [{ id: 1, spend: 1200, at: '2026-02-03T04:05:06Z' }, { id: 2, spend: 10 }, { id: 3 }], response: { data: { rows: [[1, 2], [3, 4]] } } },
    skipped: { status: 'skipped' },
    proto: { output: JSON.parse('{"__proto__": {"polluted": 1}, "constructor": "c", "toString": 1}') },
  },
  loop: { item: { id: 9 }, i: 2 },
  env: { REGION: 'eu' },
}

const expressions = [
  '[...$.input.tags].sort()', '({ ...$.input.nested, z: 1 })', '[...new Set([1, 1, 2])]', 'new Date($.steps.fetch.output[0].at).toISOString()',
  'new Date(0)', 'new Date(NaN)', '[new Date(0), { d: new Date(86400000) }]', 'Date.UTC(2026, 1, 29)', 'typeof Date.now()',
  '(({ a: { b: [x, { c }] } }) => [x, c])($.input.nested)', '(([first, , third = 7, ...rest]) => ({ first, third, rest }))($.input.tags)',
  '((...all) => all.length)(1, 2, 3)', '((a = 1, b = a + 1) => b)()', '(() => { let sum = 0; for (const { spend = 0 } of $.steps.fetch.output) sum += spend; return sum })()',
  '(() => { const out = {}; for (const k in $.input.nested.a) out[k] = 1; return out })()', '(() => { try { null.x } catch (e) { return e instanceof TypeError } })()',
  '(() => { switch ($.input.n) { case 3: return "three"; default: return "?" } })()', '(() => { outer: for (let i = 0; i < 3; i++) for (;;) { if (i == 1) break outer; continue outer } return "left" })()',
  '(function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) })(15)', '[...(function* () { yield 1; yield* [2, 3] })()]', 'Array.from({ length: 3 }, (_, i) => i ** 2)',
  '$.input.tags.reduce((acc, t, i) => ({ ...acc, [t]: i }), {})', 'Object.assign({}, $.input.nested, { q: 1 })',
  '"2026-11-28".replace(/(?<y>\\d+)-(?<m>\\d+)/, (...m) => m.at(-1).y)', '/(?<=\\$)\\d+/.exec("cost $42")[0]', '/(?!a)b/.test("b")', '/(a)\\1/.test("aa")', '"aXbX".replace(/x/gi, (m, i) => i)',
  '[..."a😀"].length', '[..."a😀"]', '"\\ud83d"', '$.input.half', '$.input.half.length', '$.input.company', '[...$.input.company].length', 'JSON.stringify($.input.company)',
  '`${$.input.company}` + [...""]', 'String.raw`\\n${1}`', '((s, ...v) => s.raw.join("|") + v)`a${1}b`', '$.input.big', '[...[$.input.big]][0] === 9007199254740992', '[2 ** 53, 2 ** 60, 1e21, 1e300, -0, 0.1 + 0.2, 5e-324]',
  '[NaN, Infinity, -Infinity, undefined, () => 1, Symbol("s"), null]', '({ a: undefined, b: () => 1, c: Symbol("s"), d: NaN, e: null })', '(() => undefined)()', '(() => {})()', 'void [...""]',
  'new Map([[1, 2]])', 'new Set([1])', 'new Error("x")', '/x/g', 'new (class { constructor() { this.a = 1 } get b() { return 2 } })()', '({ toJSON: () => ({ t: 1 }) })', 'Object.create({ inherited: 1 })',
  'new String("boxed")', '[,1,,2]', 'Object.keys($.steps.proto.output)', '$.steps.proto.output', '({}).polluted', '({ ...$.steps.proto.output }).constructor', '$.steps.proto.output.__proto__', 'JSON.parse(\'{"__proto__": 1}\')',
  '({ ["__proto__"]: 1 })', 'delete $.input.n', '($.input.n = 5, $.input.n)', '$.steps.skipped.output?.value', '$.steps.skipped.output?.value ?? [..."no"]', '$.steps.fetch.output.map(({ id, spend }) => ({ id, tier: spend > 1000 ? "gold" : "silver" }))',
  '$.steps.fetch.output.forEach(x => x)', '$.steps.fetch.output.toSorted((a, b) => b.id - a.id).map(x => x.id)', '$.steps.fetch.response.data.rows.flat().at(-1)', 'Object.entries($.input.nested).map(([k, v]) => [k, typeof v])',
  '$.input.tags.push("z")', '[$.input.tags.push("z"), $.input.tags]', '$.input.tags.splice(0, 1)', '$.input.tags.includes("a") && [...$.input.tags, $.loop.i]', 'env.REGION + input.n + loop.item.id + [...""]', 'data.first + [...output.list].length',
  'contains([...$.input.tags], "a")', 'length([...$.input.tags])', 'isEmpty([...""])', 'encodeURIComponent([...$.input.company].slice(0, 3).join(""))', 'parseInt([..."42"].join(""), 10)', 'Number([..."1"][0]).toFixed(2)', 'isNaN(...[NaN])',
  '1, 2', '(1, [...""], 3)', 'x => x', 'class {}', 'await 1', 'return 1', 'if (1) {}', '[...', '({ a: }).b', '$.steps..x', 'let a = 1', 'a b', '1 +', '`${', '/(/', '"\n"', 'x) || (true', '1) + (2', '1] + [2', '', ' ', '// c', '[...$.input.tags] // c', 'nope + [...""]', 'null.x + [...""]', '[...5]', '[...null]', 'new Date("x").toISOString()', '(() => { throw new RangeError("r") })()', '(() => { throw "text" })()', '10n ** 20n', 'JSON.stringify(10n)', '(() => { const a = {}; a.a = a; return a })()',
  '[3, 1, 2].sort()', '["b", undefined, "a"].sort()', '[..."ß"].map(c => c.toUpperCase())', '"İ".toLowerCase().length + [...""]', '"x".localeCompare("y")', '(25).toString(36) + [...""]', '[1.005, 1e21, 1e-7, 123456789012345680000].map(n => String(n) + [...""])', 'Math.max(...[1, 5, 3])', 'Math.min(...[])', '[10, 9, 1].sort((a, b) => a - b).map((v, i, { length }) => v / length)', 'structuredClone({ a: [1, new Date(0), new Map([[1, { b: 2 }]]).get(1)] })',
  'Object.fromEntries(new Map([["a", 1]]))', '[...new Map([[1, 2]]).entries()]', 'Array.isArray([...""]) && typeof globalThis', 'typeof process + typeof require', 'typeof setTimeout',
]
const bodies = [
  'return 1', '', ' ', '// nothing', 'const x = 1', 'return', 'return undefined', 'return null', 'return $', 'return $.input', 'const customers = $.steps.fetch.output;\nreturn customers.map(c => ({...c, tier: c.spend > 1000 ? \'gold\' : \'silver\'}));',
  'const data = 5, input = 6, output = 7, length = 8; return data + input + output + length', 'let sum = 0\nfor (let i = 0; i < 10; i++) sum += i\nreturn sum', 'return await Promise.resolve(7)', 'const [a, b] = await Promise.all([1, Promise.resolve(2)]); return a + b',
  'for await (const x of [Promise.resolve(1)]) return x', 'async function* g() { yield 1; yield 2 } const out = []; for await (const x of g()) out.push(x); return out', 'return (async () => "inner")()', 'return { then(resolve) { resolve("thenable") } }', 'await null; throw new Error("late")', 'throw new TypeError("t")', 'throw "text"', 'throw null', 'throw { message: "m" }',
  'return Promise.reject(new RangeError("r"))', 'try { await Promise.reject(new Error("e")) } catch (e) { return e.message } finally { $.input.n = 0 }', 'function helper(x) { return x * 2 }\nreturn helper(21)', 'return later(2); function later(x) { return x + 1 }', 'class P { #x = 1; get x() { return this.#x } static s = 5 } return [new P().x, P.s]', 'const { input: { n, ...rest } } = $; return [n, Object.keys(rest)]',
  'let a = 1; let a = 2', 'const a', 'return }', '} return {', '}, async function(){', '}); (() => {', '} catch {', 'return (', 'for (', 'await', 'yield 1', 'import x from "y"', 'export default 1', 'return await import("fs")', 'new.target', 'return typeof arguments', 'var v = 1; var v = 2; return v', 'undeclared = 3; return undeclared', '"use strict"; undeclared2 = 3', 'return this === undefined || this === globalThis', 'label: { break label } return "out"', 'debugger; return 1',
  'const s = new Set($.steps.fetch.output.map(o => o.id)); return [...s].filter(x => s.has(x))', 'return Object.entries($.steps).map(([k, { status }]) => k + ":" + status)', 'return $.steps.skipped.output.value', 'const m = new Map(); for (const t of $.input.tags) m.set(t, (m.get(t) ?? 0) + 1); return Object.fromEntries(m)', 'return [1, 2, 3].map(async x => x * 2)', 'return Promise.all([1, 2, 3].map(async x => x * 2))', 'return Symbol("x")', 'return 10n', 'return () => 1', 'return NaN', 'return -0', 'return new Date(0)', 'return { get a() { return 1 } }', 'return { get a() { throw new Error("getter") } }', 'return Object.defineProperty({}, "hidden", { value: 1 })', 'let s = ""; for (const c of "a😀") s += c.length; return s', 'return "\\u0000\\u2028\\ud83d"', 'return $.input.company.split(" ")', 'return `line\none`', 'return /[/\\]]+/.test("]")', 'const re = /a/g; let n = 0; while (re.exec("aaa")) n++; return n', 'return 4 / 2 / 1', 'return [..."x"].map(x => ({ x })) /* end */', 'return 1 // end', '#!/usr/bin/env node', 'return new Array(3)', 'return [undefined, , 1]',
]

// What inline code may require: each table is one script.
const each = (list, call) => `const out = []; for (const x of ${JSON.stringify(list)}) { try { out.push(${call}) } catch { out.push('throws') } } return out`
const addresses = ['https://a.com', 'http://A.com:80/x/../y/./z?q=1&r=a b#frag', 'https://a.com:8443/%7Efoo/é?x=é', 'https://user:pa ss@h.io/p', '//x', 'foo', 'https://a.com?x', 'https://a.com#', 'https://a.com/?', 'http://[::1]:3000/', 'http://1.2.3.4/a//b', 'https://a.com/a/b/..', 'https://a.com/..', 'http:a.com', 'https://a.com\\x\\y', 'https://a b.com', 'https://a.com:99999', 'https://a.com:/x', "https://a.com/'\"<>`{}", 'https://a.com/?q=\'"<>`', ' https://a.com/ ', 'ftp://f.org/x', 'https://a.com/%zz?%zz', 'https://a.com/x?y?z#a#b']
const paths = ['', '/', '.', '..', '/a/b/', 'a//b/../c', '/../x', 'a/./b', './a', '../a/../..', 'a/b.txt', '.bashrc', '/x/.y.z', 'a.', 'a..b', 'a/b/']
bodies.push(
  'const { URL } = require("node:url"); ' + each(addresses, '(u => [u.href, u.protocol, u.username, u.password, u.host, u.pathname, u.search, u.hash, u.origin, [...u.searchParams]])(new URL(x))'),
  each([['x', 'https://a.com/b/c'], ['../x', 'https://a.com/b/c/d'], ['?q', 'https://a.com/b?z'], ['#h', 'https://u:p@a.com/b?z#y'], ['', 'https://a.com/b?z#y'], ['/r', 'https://a.com:81/b'], ['//o.com/x', 'http://a.com'], ['http://n.com', 'https://a.com'], ['./', 'https://a.com/b/c']], 'new URL(x[0], x[1]).href'),
  each(['a=1&b=2&a=3', '?x=%20+y', 'a', '=', '&&a=b', 'a=b=c', 'é=ü&😀=%F0%9F%98%80', '%zz=%', 'a=%FF', "!'()~*=._-"], '(p => [[...p], p.toString(), p.get("a"), p.getAll("a"), p.has("b")])(new URLSearchParams(x))'),
  'const u = new URL("https://a.com/?a=1"); u.searchParams.append("b", "x y"); u.searchParams.delete("a"); const first = u.href; u.search = "c=d e"; u.pathname = "/p q"; u.hash = "h i"; return [first, u.href, u.searchParams.get("c")]',
  each([['aé😀', 'utf8'], ['616263', 'hex'], ['61zz', 'hex'], ['616', 'hex'], ['YWJj', 'base64'], ['YWJjZA==', 'base64'], ['YW Jj\nZA', 'base64'], ['_-8', 'base64url'], ['éÿ', 'latin1'], ['\ud83d', 'utf8'], ['abc', 'ascii'], ['x', 'nope']], '["utf8", "hex", "base64", "base64url", "latin1", "ascii"].map(to => Buffer.from(x[0], x[1]).toString(to))'),
  each([[0xff, 0xfe], [0xe2, 0x82], [0xe2, 0x82, 0xac, 0x41], [0xf0, 0x9f, 0x98], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf5, 0x80]], '[Buffer.from(x).toString(), new TextDecoder().decode(Uint8Array.from(x))]'),
  'return [Buffer.from("abc"), Buffer.alloc(3, "ab").toString(), Buffer.concat([Buffer.from("a"), Buffer.from("b")]).toString(), Buffer.byteLength("é"), Buffer.from("abc").slice(1).toString(), Buffer.from("a").equals(Buffer.from("a")), Buffer.compare(Buffer.from("a"), Buffer.from("ab")), Buffer.isBuffer(Buffer.from("")), Buffer.from("abcdef").toString("utf8", 1, 3), Buffer.from([1, 2, 300]), [...new TextEncoder().encode("é\\ud83d")]]',
  'const path = require("path"); ' + each(paths, '["normalize", "dirname", "basename", "extname", "isAbsolute", "parse"].map(f => path[f](x))'),
  'const { join, resolve, relative, format, basename } = await require("node:path"); return [join("a", "", "/b"), join("/a", "../b"), resolve("/a", "../b", "c"), resolve("/a", "/b"), relative("/a/b", "/a/c/d"), relative("/a", "/a"), format({ dir: "/x", name: "y", ext: ".z" }), basename("/q/a.txt", ".txt")]',
  'const { createHash, createHmac } = require("crypto"); return ["sha256", "sha1", "md5", "sha512", "nope"].map(a => { try { return [createHash(a).update("a").update(Buffer.from("é")).digest("hex"), createHmac(a, "key").update("data").digest("base64")] } catch { return "throws" } })',
  'const { randomUUID, randomBytes, randomInt, timingSafeEqual } = require("crypto"); return [/^[\\da-f]{8}-[\\da-f]{4}-4[\\da-f]{3}-[89ab][\\da-f]{3}-[\\da-f]{12}$/.test(randomUUID()), randomBytes(5).length, randomInt(3) < 3, timingSafeEqual(Buffer.from("a"), Buffer.from("a"))]',
  'return createHash("sha256")', 'const $hash = require("crypto").createHash("sha1"); $hash.digest(); return $hash.digest()',
)

const data = { first: 1, list: [1, 2] }
const helpers = {
  contains: (place, wanted) => Array.isArray(place) ? place.includes(wanted) : typeof place === 'string' && wanted != null && place.includes(String(wanted)),
  length: value => typeof value === 'string' || Array.isArray(value) ? value.length : value && typeof value === 'object' ? Object.keys(value).length : 0,
  isEmpty: value => value == null || value === '' || (typeof value === 'object' && !Object.keys(value).length),
}
const AsyncFunction = (async () => {}).constructor
const hidden = ['process', 'require', 'setTimeout'] // not there in a script

async function answer (form, source) {
  let run
  try {
    if (form === 'expression') new Function(`[${source}\n]`)
    const made = form === 'expression' ? new Function('$', `return (${source}\n)`) : new AsyncFunction('$', source)
    const names = { input: 1, steps: 1, loop: 1, env: 1, data: 1, output: 1, ...helpers }
    const outer = new Function(...Object.keys(names), ...hidden, form === 'expression' ? `return function ($) { return (${source}\n) }` : `return async function ($, require) { ${source}\n }`)
    run = own => outer(own.input, own.steps, own.loop, own.env, data, data, ...Object.values(helpers))(own, createRequire(import.meta.url))
    void made
  } catch { return { error: 'syntax' } }
  try {
    const text = JSON.stringify(await run(JSON.parse(JSON.stringify($))))
    return { value: text === undefined ? null : JSON.parse(text) }
  } catch { return { error: 'run' } }
}

const cases = []
for (const source of expressions) cases.push(['expression', source, await answer('expression', source)])
for (const source of bodies) cases.push(['body', source, await answer('body', source)])
const ascii = value => JSON.stringify(value).replace(/[\u007f-\uffff]/g, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'))
writeFileSync(new URL('script_vectors.json', import.meta.url), `{"names": ${ascii({ $, data, output: data })},\n"cases": [\n${cases.map(ascii).join(',\n')}\n]}\n`)
console.log(cases.length, 'cases')
