// Evaluates a table of expressions in real JavaScript and writes the answers to expression_vectors.json.
//   node tests/flows/make_vectors.mjs
import { writeFileSync } from 'node:fs'

const data = {
  s: 'Hello World', e: '', u: 'a😀é', half: '\ud83d', n: 42, z: 0, neg: -7.5, t: true, f: false, nil: null,
  a: [3, 1, 2, 'x', null], nums: [10, 9, 1, -5, 2.5], strs: ['b', 'a', 'C', 'é', '😀', '～'], ea: [], eo: {},
  o: { k: 1, length: 9, constructor: 'c', items: 'i', 10: 'ten', 2: 'two', b: 0 },
  items: [{ id: 1, tag: 'vip', price: 9.99 }, { id: 2, tag: 'std', price: 20 }, { id: 3, tag: 'vip' }],
  nest: [[1, [2]], [3]], num: '12.5', sp: '  pad\t\n', d: '2026-11-23',
}

// What the language does on purpose: nothing is changed in place, and iterators are arrays.
Array.prototype.sort = Array.prototype.toSorted
Array.prototype.reverse = Array.prototype.toReversed
const matchAll = String.prototype.matchAll
String.prototype.matchAll = function (pattern) { return [...matchAll.call(this, pattern)] }

const cases = []
const add = (...expressions) => cases.push(...expressions)
const cross = (make, ...lists) => {
  const go = (chosen, rest) => rest.length ? rest[0].forEach(x => go([...chosen, x], rest.slice(1))) : add(make(...chosen))
  go([], lists)
}

// Operators on every pair of types.
const values = ['undefined', 'null', 'true', 'false', '0', '-0', '1', 'NaN', 'Infinity', '2.5', "''", "'1'", "'abc'", "' 2 '", '[]', '[1]', "['b', 2]", '({})', '$.eo']
cross((a, b) => `${a} == ${b}`, values, values)
cross((a, b) => `${a} === ${b}`, values.slice(0, 15), values.slice(0, 15))
cross((a, b) => `${a} < ${b}`, values, ['null', '1', 'NaN', "'b'", "'10'", '[]', '[2]', 'undefined', '({})'])
cross((a, b) => `${a} >= ${b}`, values, ['null', '0', 'undefined', "'a'", '[1]'])
cross((a, b) => `${a} + ${b}`, values, ['undefined', 'null', 'true', '1', '2.5', "'x'", '[1, 2]', '({})'])
cross((a, o, b) => `${a} ${o} ${b}`, values, ['-', '*', '/', '%'], ['null', '3', "'2'", '-0', 'Infinity'])
cross((a, o, b) => `${a} ${o} ${b}`, ['0', '-0', '1', '(-1)', '2', '(-8)', 'NaN', 'Infinity', '(-Infinity)', "'2'"], ['**'], ['0', '3', '-1', '0.5', 'NaN', 'Infinity', '-Infinity', '1e9'])
cross((a, o, b) => `${a} ${o} ${b}`, ['5', '-5', '2147483648', '4294967297', '1e20', 'NaN', "'7'", 'null'], ['&', '|', '^', '<<', '>>', '>>>'], ['3', '-1', '33', '1e9', '0.9'])
cross((o, a) => `${o}${a}`, ['!', '-', '+', '~', 'typeof ', 'void ', '!!'], values)
cross((a, o, b) => `${a} ${o} ${b}`, values, ['&&', '||', '??'], ["'r'", '0'])
cross(a => `${a} ? 'yes' : 'no'`, values)
cross(f => `[${values.join(', ')}].map(v => ${f})`, ['String(v)', 'Number(v)', 'Boolean(v)', 'isNaN(v)', 'Array.isArray(v)', 'Number.isInteger(v)', 'JSON.stringify(v)', 'parseInt(v)', 'parseFloat(v)', 'typeof v', '`${v}`', "'' + v", '[v] + 1', 'v === v'])

// Numbers and their texts.
const numbers = ['0', '-0', '1', '-1.5', '0.1', '0.1 + 0.2', '1e21', '1e20', '123456789012345680000', '1e-6', '1e-7', '1.5e-10', '5e-324', '1.7976931348623157e308', '1e400', '2 ** 53 + 1', '9007199254740993', '12345678901234567890', '255', '1.005', '2.5', '0.000001234', '1/3', '-1e-7', '4.35', '1e15 + 0.5', '100', '0xff', '0b101', '0o17', '1_000', '.5', '5.', '1e3']
cross(n => `String(${n})`, numbers)
cross((n, d) => `(${n}).toFixed(${d})`, numbers, ['', '0', '2', '10'])
cross((n, d) => `(${n}).toPrecision(${d})`, numbers, ['1', '3', '21'])
cross((n, d) => `(${n}).toExponential(${d})`, numbers.slice(0, 20), ['', '0', '3'])
cross((n, d) => `(${n}).toString(${d})`, numbers, ['2', '16', '36'])
add('(1).toFixed(101)', '(1).toPrecision(0)', '(1).toString(1)', '(1).toString(37)', 'NaN.toFixed(2)', '(25).toString(undefined)', '1..toFixed(1)', '1.0.toFixed(1)')
cross((f, n) => `Math.${f}(${n})`, ['abs', 'ceil', 'floor', 'round', 'trunc', 'sign', 'sqrt', 'cbrt', 'clz32', 'fround', 'log2', 'log10'], ['0', '-0', '0.5', '-0.5', '1.5', '2.5', '-2.5', '-1', '8', '1e21', 'NaN', 'Infinity', '-Infinity', "'4'", 'null', 'undefined', '[9]', '0.49999999999999994'])
add('Math.max()', 'Math.min()', 'Math.max(1, NaN)', 'Math.max(-0, 0)', 'Math.min(0, -0)', "Math.max('3', 2)", 'Math.max(1, undefined)', 'Math.hypot(3, 4)', 'Math.imul(0xffffffff, 5)', 'Math.atan2(0, -0)', 'Math.pow(2, 10)', 'Math.PI', 'Math.nope', 'Number.MAX_SAFE_INTEGER', 'Number.EPSILON', 'Number.MIN_VALUE')
cross((f, t) => `${f}(${t})`, ['Number', 'parseInt', 'parseFloat'], ["''", "' '", "'12px'", "'0x1F'", "'0X1f'", "'0b11'", "'-0x10'", "'1e3'", "'1e1000'", "'.5'", "'5.'", "'.'", "'+5'", "'--5'", "'-0'", "'Infinity'", "'-Infinity'", "'infinity'", "'1_000'", "'１２'", "'\\ufeff7\\u00a0'", "'1,5'", '[]', '[7]', '[1, 2]', '({})', 'null', 'true', "'12e'", "'9007199254740993'"])
add("parseInt('101', 2)", "parseInt('zz', 36)", "parseInt('9', 8)", "parseInt('ff', 16)", "parseInt('0xff', 16)", "parseInt('10', 1)", "parseInt('10', 37)", "parseInt(1e21)", "parseInt('123', NaN)", "parseInt(null, 36)", 'Number()', 'String()', 'Boolean()')

// Strings.
const texts = ['$.s', '$.u', "''", "'a-b-c'"]
const odd = ['', '0', '1', '-1', '2', 'NaN', 'undefined', 'Infinity', "'1'", 'null', '99', '1.9']
cross((t, f, i) => `${t}.${f}(${i})`, texts, ['at', 'charAt', 'charCodeAt', 'codePointAt'], odd)
cross((t, f, i, j) => `${t}.${f}(${i}, ${j})`, ['$.s', '$.u'], ['slice', 'substring', 'substr'], ['0', '1', '-2', 'NaN', 'undefined'], ['undefined', '2', '-1', 'Infinity', 'null'])
cross((t, f, i) => `${t}.${f}(${i})`, texts, ['includes', 'indexOf', 'lastIndexOf', 'startsWith', 'endsWith'], ["'o'", "''", "'World'", 'undefined', "'-'", "'\\ud83d'", "'o', 5", "'o', -1", "'l', NaN", "'', 99", '/o/'])
cross((t, f, i) => `${t}.${f}(${i})`, ["'ab'", '$.u'], ['padStart', 'padEnd'], ['5', '1', "6, 'xy'", "6, ''", "'5', 0", '-1', 'NaN', "5, '😀'"])
cross(i => `'ab'.repeat(${i})`, ['0', '2', '2.9', '-1', 'Infinity', 'NaN', 'undefined', "'2'"])
cross((t, i) => `${t}.split(${i})`, [...texts, "'abc'"], ['', "''", "'-'", "'', 2", "'-', 0", "'-', -1", 'undefined', 'undefined, 0', "'o', 1", '/-/', '/(-)/', '/(?:)/', '/o|l/', '/x*/', '/(x)?/', '/(?:)/u', '/$/', '/^/', '/-/, 2'])
cross((t, f) => `${t}.${f}()`, ['$.s', '$.u', "'ǅß İ ΑΣ'", '$.sp', "'\\u0085 x \\ufeff\\x1f'"], ['toUpperCase', 'toLowerCase', 'trim', 'trimStart', 'trimEnd', 'toString'])
cross((t, f, a) => `${t}.${f}(${a})`, ["'aXbXc'", '$.u'], ['replace', 'replaceAll'], ["'X', '-'", "'X', '$$'", "'X', '[$&]'", "'X', \"$`|$'\"", "'', '.'", "'X', m => m + m", "'X', (m, i) => i", "'X'", "'X', '$1'", "'é', '$&$&'", "'\\ud83d', '?'", '/X/g, "-"', '/X/, "-"', '/(X)(b)?/g, "[$1$2$3$10]"', '/(?<n>X)/g, "<$<n>>$<m>"', '/./g, "."', '/./gu, "."', '/X|$/g, (m, i, s) => i + s.length'])
cross((t, f, a) => `${t}.${f}(${a})`, ['$.s', '$.u', '$.d', "''"], ['match', 'matchAll', 'search'], ['/l+/g', '/(\\d+)-(\\d+)/g', '/o/gi', '/./gu', '/nope/g', '/(?:)/g', '/$/g', '/\\b/g'])
cross((t, a) => `${t}.match(${a})`, ['$.s', '$.d', '$.u'], ['/(\\w+) (\\w+)?/', '/(?<y>\\d{4})-(?<m>\\d\\d)/', '/z/', '/(a)|(b)|2/', "'l'", 'undefined'])
add("'a'.concat(1, null, [2])", "'😀'.length", "'\\ud83d\\ude00' === '😀'", "('\\ud83d' + '\\ude00').length", "'\\ud83d' + '\\ude00' === '😀'", "'😀'[0] + '😀'[1] === '😀'", "['\\ud83d', '\\ude00'].join('') === '😀'", "'😀' < '～'", "'Z' < 'a'", "'a' < 'ä'", "'10' < '9'", "'10' < 9", '$.u.length', '$.u.split("").length', '$.u[1] === "\\ud83d"', '$.half.length', "'é'.normalize('NFD').length", "'a\\u0301'.normalize() === 'á'", "'\\u{1F600}'.codePointAt(0)", "'a\\\nb'", "'\\0'.length", "'\\x41\\u0042'", "String.fromCharCode(0xd83d, 0xde00)", 'String.fromCodePoint(0x1F600)', 'encodeURIComponent("a b&é😀/")', 'encodeURI("a b&é/?#")', "decodeURIComponent('%F0%9F%98%80+%2f')", "decodeURI('%2f%41')", "decodeURIComponent('%')", "decodeURIComponent('%ff')", 'encodeURIComponent($.half)')
add('`a${1}b`', '`${[1, [2]]}${null}${undefined}${({})}`', '`\\``', '`a\\u0041`', '``', '`${`${1}`}`', '`$`', '`${"}"}`', '`\n`', '`${-0}`')

// Arrays and objects.
const arrays = ['$.a', '$.nums', '$.ea', '[NaN, -0, undefined]', '$.nest']
cross((a, f, i) => `${a}.${f}(${i})`, arrays, ['at', 'slice', 'includes', 'indexOf', 'lastIndexOf', 'join', 'flat', 'concat'], ['', '0', '1', '-1', 'NaN', 'undefined', "'x'", 'null', '-9', 'Infinity'])
cross((a, f) => `${a}.${f}`, arrays, ['sort()', 'reverse()', 'toSorted()', 'toReversed()', 'toString()', 'length', 'map(x => typeof x)', 'map((x, i) => i)', 'filter(Boolean)', 'some(x => x > 2)', 'every(x => x)', 'find(x => x === null)', 'findIndex(x => x > 1)', 'findLast(x => x)', 'findLastIndex(x => x > 1)', 'reduce((a, b) => a + b, 0)', 'reduceRight((a, b) => a + b, "")', 'reduce((a, b) => a + b)', 'flatMap(x => [x, x])', 'map(String)', 'map(parseInt)', 'join("-")', 'sort((a, b) => b - a)', 'slice(1, -1)', 'with(0, 9)', 'toSpliced(1, 1, "n")'])
add('$.strs.sort()', '[10, 9, 1].sort()', '[undefined, 3, null, 1].sort()', '[3, undefined, 1].sort((a, b) => a - b)', '[].reduce((a, b) => a)', '[1].map()', '[1].map(2)', '[1, 2].find', "'1' in [5, 6]", '2 in [5, 6]', "'length' in []", "'vip' in ['vip']", "'k' in $.o", "'nope' in $.o", "'x' in 'xyz'", '0 in 5', '[1, 2][5]', '[1, 2][-1]', '[1, 2]["0"]', '[1, 2]["00"]', '[1, 2]["length"]', '[[]].flat().length', '[] + []', '[] == false', '[] === []', '$.a === $.a', '$.o == $.o', '[1, 2, 3].includes("2")', '[1, [2, [3, [4]]]].flat(Infinity)', '[3, 1, 2].toSorted((a, b) => b - a).map(x => x * 2).join()', '[1, 2, 3].map((x, i, all) => all.length - i)', '[1, 2].map(x => y => x).length', '[[1, 2], [3]].map(x => x.map(y => y * 2))', "[1, 2, 3].map(x => ({ x }))")
cross((f, v) => `${f}(${v})`, ['Object.keys', 'Object.values', 'Object.entries', 'Array.isArray', 'Array.from', 'JSON.stringify'], ['$.o', '$.a', '$.eo', "'ab'", '5', 'null', 'undefined', '$.nest', "'😀'", '({ b: 1, 2: 1, a: 1, 1: 1 })', '({ a: undefined, b: x => x, c: [undefined, NaN], d: -0 })', '/a/g'])
add('Object.fromEntries([["a", 1], ["b", 2]])', 'Object.fromEntries(Object.entries($.o).filter(e => e[1] === 1))', 'Object.hasOwn($.o, "k")', '$.o.hasOwnProperty("k")', '$.a.hasOwnProperty(9)', 'Object.is(NaN, NaN)', 'Object.is(0, -0)', 'Array.from({ length: 3 }, (v, i) => i * 2)', 'Array.of(7, 8)', 'JSON.stringify({ a: [1, { b: [] }], c: {} }, null, 2)', 'JSON.stringify({ a: 1, b: 2 }, ["b"])', "JSON.stringify('\\ud83d\\u2028\\u0007\"\\\\')", 'JSON.stringify([], null, 2)', "JSON.stringify([1, [2]], null, '--')", 'JSON.stringify()', "JSON.parse('[1, {\"a\": null}]')", "JSON.parse('{bad}')", "JSON.parse('')", "JSON.parse('NaN')", "JSON.parse(' 1e400 ')", "JSON.parse('\"\\\\ud83d\\\\ude00\"').length", "JSON.parse('-0')", "JSON.parse('12345678901234567890')", "JSON.parse('01')", "({ a: 1, 'b c': 2, 3: 4, [1 + 1]: 5 })", '({ a: 1, a: 2 })', '({ })', '({ if: 1 }).if', '({ $ }).$ === $', '({ a: 1 }).toString()', "({}) + ''")
cross((a, b) => `${a}(${b})`, ['contains', 'length', 'isEmpty'], ['$.a', "'abc'", "'😀'", 'null', 'undefined', '0', 'false', '({})', '({ a: 1 })', '[]', "''", "'abc', 'b'", "[1, 2], 2", "[NaN], NaN", "'a1', 1", "'null', null"])

// Paths, optional chaining, walking into nothing.
add('$.o.length', '$.o.constructor', '$.o.items', '$.o["k"]', '$.o[10]', '$.o["10"]', '$.o[2]', '$.missing', '$.missing?.a', '$.missing?.a.b.c', '$.missing?.[0]', '$.missing?.()', '$.missing?.a()', '$.missing.a', '$.nil.a', '$.nil?.a', '$.nil?.a.b', '($.missing?.a).b', '$.s.nope', '$.s.nope.x', '$.n.x', '$.n.x.y', '$.t.x', '$.s?.length', '$.s.slice?.(0, 2)', '$.s.nope?.(1)', '$.s.nope(1)', '$.o.k()', '$.o.k?.()', '$.items?.[1]?.tag', '$.items[9]?.tag.x', '$.items[9].tag', '$.items.find(i => i.id === 9)?.tag', '$.items.find(i => i.id === 9).tag', '$.items.map(i => i.price?.toFixed(1))', "$.items.filter(i => i.tag === 'vip').length", '$.items.some(i => i.price > 10)', '$.items.every(i => i.price)', '$.items.reduce((sum, i) => sum + (i.price ?? 0), 0)', '$.items[0]["tag"]', '$.items["0"].tag', '$["s"]', '$.a.length', '$.a["length"]', '$.a[$.z]', '$.a[$.a.length - 1]', '$.o[$.s]', '$.o?.[`k`]', 'typeof $.missing', 'typeof $.nil', 'typeof $.a', 'typeof (x => x)', '$.s[0]', '$.u[1].length', '$.s["1"]', '$.s[-1]', '$.s[99]', 'true?.5:1', '$.t?.5:1', 'null?.a.b[c => c].d', 'undefined?.[$.missing.x]', '(null)?.x', '$.nest[0][1][0]', '$.nil ?? $.missing ?? "d"', '$.e || $.z || "d"', '$.e ?? "d"', '$.missing === undefined', '$.nil === undefined', '$.nil == undefined', 'undefined === void 0')

// Grammar.
add('1 + 2 * 3', '(1 + 2) * 3', '2 ** 3 ** 2', '(-2) ** 2', '-2 ** 2', '-(2 ** 2)', '2 ** -1', '!1 ** 2', '1 < 2 < 3', '3 > 2 > 1', '1 == 1 == 1', '-7 % 3', '7 % -3', '5 - 3 - 1', '"a" + 1 + 2', '1 + 2 + "a"', '1 || 0 && 0', '(1 || 0) && 0', 'null ?? 1 || 2', '(null ?? 1) || 2', 'null ?? (1 || 2)', '1 && 2 ?? 3', '1 ?? 2 && 3', '1 | 2 ^ 3 & 4', '1 << 2 + 1', '1 + 1 << 2', '!0 + 1', '- - 1', '- -1', '+ +1', '--1', '1 - -1', '1 - - 1', '1--1', 'typeof typeof 1', '!typeof 1', 'typeof 1 + 1', '1 ? 2 : 3 ? 4 : 5', '1 ? 0 ? 2 : 3 : 4', '0 ? 1 : 0 ? 2 : 3', 'x => x', '(x) => x', '() => 1', '(a, b,) => a', '(a, a) => a', 'x => { }', '[x => x + 1][0](4)', '(x => x * 2)(4)', '(() => 7)()', '((a, b) => b)(1)', '1 in [1, 2] == true', '"a" in { a: 1 } && 1', '[1, 2, ]', '[,]', '({ a: 1, })', '({ , })', '(1', '1)', '[1', '{', '', ' ', '// only', '1 // end', '/* a */ 1 /* b */', '1 /* open', '"open', "'a\nb'", '`open', '`${1', '`${}`', '/open', '/(/', '/[/', '/a/gg', '/a/x', '/*/', '/+/', '/a**/', '/a{2}{3}/', '/{1}/', '/a{2,1}/', '/[b-a]/', '/\\u{1F600}/u', '/\\u{110000}/u', '/(?<a>x)(?<a>y)/', '/(?<1>x)/', '/\\-/u', '/{/u', '/]/u', '/}/', '/x{/', '/x{,2}/.test("x{,2}")', 'a b', '1 2', '1 +', '* 1', '1 ** ', '&& 1', '1 &&', '? 1 : 2', '1 ? 2', '1 ? : 2', '..', '.5.5', '1.2.3', '0x', '0b2', '0o8', '09', '1_', '1__0', '1e', '3in []', '3 in []', "'\\u{110000}'", "'\\xg'", "'\\u12'", "'\\01'", '$.', '$..a', '$.[a]', '$[', '$[]', '$.a.', '$?.', '$?.a', '$ .s', '$\n.s', '$. s', '$.\ns', '$.if', '$.new', '$.class?.x', '$.1', '$.a[0', 'true.x', 'null.x', 'undefined.x', 'true + true', 'NaN === NaN', 'if', 'new Date', 'x = 1', '$.a = 1', '$.a++', 'delete $.a', 'function f() {}', 'a => ', '=> 1', '(1) => 1', '([a]) => a', '@', '#', '\\', '1 // c\n+ 1', '1 /* \n */ + 1', '\u00a01\ufeff+\u20281', '"\u2028".length', '!', '!!', '~', 'typeof', 'in', '1 in', 'void', 'void 0', '===', '1 === ', '1 !== 2', '1 <> 2', '1 =< 2', '1 => 2', '1 >== 2', "x) || (true", "1) || (1", '"a" "b"', '(((((1)))))', '((1)', '[[1]', '{a:1}.a', '({a:1}.a)', '({a:1})?.a', '((a) => a)(1)', '`a` + `b`')

// Regular expressions.
cross((r, t) => `${r}.test(${t})`, ['/^\\d+$/', '/^\\w+$/', '/\\bfoo\\b/i', '/^a.c$/', '/^a.c$/s', '/^b/m', '/a$/m', '/a$/', '/[^\\s]/', '/\\s/', '/^[\\w.+-]+@[\\w-]+\\.[\\w.]+$/', '/é/i', '/[à-ý]/i', '/[^a-z]/i', '/K/i', '/\\u212a/i', '/k/iu', '/ſ/i', '/^.$/', '/^.$/u', '/\\p{L}/u', '/\\p{Lu}/u', '/p{L}/', '/[\\d-x]/', '/\\cJ/', '/\\0/', '/a|/', '/(?:a|b)+c/', '/a{2,}/', '/^(?:a+)+$/', '/[]/', '/[^]/', '/\\//', '/[/]/', '/\\x41/', '/\\u0041/', '/^\\S+$/'], ["'123'", "'a\\n'", "'a\\nb'", "'FOO bar'", "'abc'", "'a@b.co'", "'É'", "'K'", "'\\u212a'", "'ſ'", "'s'", "'😀'", "'\\u0660'", "''", "'aa/A'", "'\\u00a0'", "null", 'undefined', '123'])
add("/(a)(b)?/.exec('ac')", "/(a)|(b)/.exec('b')", "/x/.exec('a')", "/(?<first>\\w)(?<second>\\d)?/.exec('a').groups", "/l/.exec('hello').index", "/é/.exec('aé').index", "/é/u.exec('😀é').index", "/é/.exec('😀é').index", '/a/.source', '/a/gi.flags', '/a/g.global', 'String(/a\\/b/i)', 'typeof /a/', "/a/ + ''", '/a/ === /a/', "'a.b'.split(/\\./)", "/[.]/.test('a')", "/a/y.test('ba')", "'aab'.replace(/a/gy, 'x')", "/^[^@]+@[^@]+$/.test('x@y')", "/\\bé/.test('é')", "/(?:)/.test('')", "/a+?/.exec('aaa')[0]", "/(z)((a+)?(b+)?(c))*/.test('zaacbbbcac')", "['a1', 'b'].filter(s => /\\d/.test(s))", "['x-1', 'y-2'].map(s => s.match(/(\\w)-(\\d)/)[2])", "'2026-11-23'.replace(/(\\d+)-(\\d+)-(\\d+)/, '$3.$2.$1')", "'aaa'.lastIndexOf('a', 1)", "'x'.replace('x', '$0')", "'abc'.replace(/(?<n>b)/, (m, p, i, s, g) => g.n + i)")

const helpers = {
  contains: (a, b) => Array.isArray(a) ? a.includes(b) : typeof a === 'string' && b != null && a.includes(String(b)),
  length: v => typeof v === 'string' || Array.isArray(v) ? v.length : v && typeof v === 'object' ? Object.keys(v).length : 0,
  isEmpty: v => v == null || v === '' || (typeof v === 'object' && !Object.keys(v).length),
}

// undefined, a function, null, booleans and strings that are no number as they are; numbers as their texts.
function told(value) {
  if (value === undefined) return ['undefined']
  if (typeof value === 'function') return ['function']
  if (typeof value === 'number') return [Object.is(value, -0) ? '-0' : String(value)]
  if (value === null || typeof value !== 'object') return value
  if (value instanceof RegExp) return { pattern: String(value) }
  if (Array.isArray(value)) return { array: Array.from(value, told) }
  return { object: Object.entries(value).map(([key, item]) => [key, told(item)]) }
}

function answer(expression) {
  let evaluate
  try {
    new Function(`[${expression}\n]`)
    evaluate = new Function('$', ...Object.keys(helpers), `"use strict"; return (${expression}\n)`)
  } catch { return { error: 'syntax' } }
  try { return { value: told(evaluate(structuredClone(data), ...Object.values(helpers))) } } catch (error) { return { error: error instanceof ReferenceError ? 'name' : 'run' } }
}

const lines = [...new Set(cases)].map(expression => JSON.stringify([expression, answer(expression)]))
writeFileSync(new URL('expression_vectors.json', import.meta.url), `{"data": ${JSON.stringify(data)},\n"cases": [\n${lines.join(',\n')}\n]}\n`)
console.log(lines.length, 'cases')
