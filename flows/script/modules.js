// What inline code may require: buffer, crypto, path and url, as much of each as works on data alone. It is evaluated only for
// scripts that name one of them. What is not here says so by name, and a module of the flow (`code.module`) has all of node.
(() => {
  const host = globalThis.__host // (operation, name, hex, hex) → hex: hashes and chance, which the language has not
  delete globalThis.__host

  const define = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false })

  // ---- texts and bytes

  function utf8 (text) {
    const bytes = []
    for (const character of String(text)) {
      let code = character.codePointAt(0)
      if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd
      if (code < 0x80) bytes.push(code)
      else if (code < 0x800) bytes.push(0xc0 | code >> 6, 0x80 | code & 63)
      else if (code < 0x10000) bytes.push(0xe0 | code >> 12, 0x80 | code >> 6 & 63, 0x80 | code & 63)
      else bytes.push(0xf0 | code >> 18, 0x80 | code >> 12 & 63, 0x80 | code >> 6 & 63, 0x80 | code & 63)
    }
    return Uint8Array.from(bytes)
  }

  // How many bytes follow a first byte, and the range that the second of them must be in.
  function shape (first) {
    if (first >= 0xc2 && first <= 0xdf) return [1, 0x80, 0xbf]
    if (first >= 0xe0 && first <= 0xef) return [2, first === 0xe0 ? 0xa0 : 0x80, first === 0xed ? 0x9f : 0xbf]
    if (first >= 0xf0 && first <= 0xf4) return [3, first === 0xf0 ? 0x90 : 0x80, first === 0xf4 ? 0x8f : 0xbf]
    return [0, 0, 0]
  }

  function fromUtf8 (bytes) {
    const pieces = []
    for (let at = 0; at < bytes.length;) {
      const first = bytes[at++]
      if (first < 0x80) {
        pieces.push(String.fromCharCode(first))
        continue
      }
      let [left, least, most] = shape(first)
      let code = left === 0 ? 0xfffd : first & (0x3f >> left)
      for (; left > 0; left--, least = 0x80, most = 0xbf) {
        if (at >= bytes.length || bytes[at] < least || bytes[at] > most) {
          code = 0xfffd
          break
        }
        code = code << 6 | bytes[at++] & 63
      }
      pieces.push(String.fromCodePoint(code))
    }
    return pieces.join('')
  }

  const latin1 = bytes => Array.from(bytes, byte => String.fromCharCode(byte)).join('')
  const hex = bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
  const fromHex = text => Uint8Array.from(/^(?:[\da-f]{2})*/i.exec(text)[0].match(/../g) ?? [], pair => parseInt(pair, 16))
  const fromLatin1 = text => Uint8Array.from(text, unit => unit.charCodeAt(0) & 255)

  function fromBase64 (text) {
    const kept = text.replace(/=.*$/s, '').replace(/-/g, '+').replace(/_/g, '/').replace(/[^A-Za-z\d+/]/g, '')
    return fromLatin1(atob(kept.length % 4 === 1 ? kept.slice(0, -1) : kept))
  }

  function encodingOf (name) {
    const known = { utf8: 'utf8', 'utf-8': 'utf8', hex: 'hex', base64: 'base64', base64url: 'base64url', latin1: 'latin1', binary: 'latin1', ascii: 'ascii' }
    const found = known[String(name ?? 'utf8').toLowerCase()]
    if (found === undefined) throw new TypeError(`Unknown encoding: ${name}`)
    return found
  }

  function encoded (text, encoding) {
    switch (encodingOf(encoding)) {
      case 'hex': return fromHex(text)
      case 'base64': case 'base64url': return fromBase64(text)
      case 'latin1': case 'ascii': return Uint8Array.from({ length: text.length }, (_, at) => text.charCodeAt(at) & 255)
      default: return utf8(text)
    }
  }

  function decoded (bytes, encoding) {
    switch (encodingOf(encoding)) {
      case 'hex': return hex(bytes)
      case 'base64': return btoa(latin1(bytes))
      case 'base64url': return btoa(latin1(bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
      case 'latin1': return latin1(bytes)
      case 'ascii': return latin1(Array.from(bytes, byte => byte & 127))
      default: return fromUtf8(bytes)
    }
  }

  // ---- buffer

  class Buffer extends Uint8Array {
    static from (value, encoding, length) {
      if (typeof value === 'string') return Buffer.wrap(encoded(value, encoding))
      if (value instanceof ArrayBuffer) return new Buffer(value, encoding, length)
      if (value !== null && typeof value === 'object' && value.type === 'Buffer' && Array.isArray(value.data)) value = value.data
      if (value === null || typeof value !== 'object') throw new TypeError('Buffer.from() takes a text, a list of bytes or a buffer')
      return Buffer.wrap(Uint8Array.from(value))
    }

    static wrap (bytes) {
      return new Buffer(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }

    static alloc (size, fill = 0, encoding = 'utf8') {
      const made = new Buffer(size)
      const bytes = typeof fill === 'string' ? encoded(fill, encoding) : [fill]
      if (bytes.length) for (let at = 0; at < size; at++) made[at] = bytes[at % bytes.length]
      return made
    }

    static allocUnsafe (size) {
      return new Buffer(size)
    }

    static concat (list, length) {
      const all = Uint8Array.from(list.flatMap(each => [...each]))
      return Buffer.from(length === undefined ? all : all.subarray(0, length))
    }

    static byteLength (value, encoding) {
      return typeof value === 'string' ? encoded(value, encoding).length : value.byteLength
    }

    static isBuffer (value) {
      return value instanceof Buffer
    }

    static isEncoding (name) {
      try {
        return typeof encodingOf(name) === 'string'
      } catch {
        return false
      }
    }

    static compare (a, b) {
      const at = a.findIndex((byte, index) => byte !== b[index])
      if (at < 0) return Math.sign(a.length - b.length)
      return at >= b.length ? 1 : Math.sign(a[at] - b[at])
    }

    toString (encoding, start = 0, end = this.length) {
      return decoded(this.subarray(start, end), encoding)
    }

    toJSON () {
      return { type: 'Buffer', data: [...this] }
    }

    equals (other) {
      return Buffer.compare(this, other) === 0
    }

    compare (other) {
      return Buffer.compare(this, other)
    }

    slice (start, end) {
      return this.subarray(start, end)
    }
  }

  class TextEncoder {
    get encoding () { return 'utf-8' }
    encode (text = '') { return utf8(text) }
  }

  class TextDecoder {
    constructor (label = 'utf-8') {
      if (!/^utf-?8$/i.test(label)) throw new RangeError(`TextDecoder reads utf-8 here, not ${label}`)
    }

    get encoding () { return 'utf-8' }
    decode (bytes = []) {
      const view = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : new Uint8Array(bytes.buffer ?? [], bytes.byteOffset, bytes.byteLength)
      return fromUtf8(view).replace(/^\ufeff/, '')
    }
  }

  // ---- crypto

  const bytesOf = (value, encoding) => typeof value === 'string' ? encoded(value, encoding) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength)

  function digester (operation, name, key) {
    const parts = []
    let done = false
    return {
      update (value, encoding) {
        if (done) throw new Error('Digest already called')
        parts.push(hex(bytesOf(value, encoding)))
        return this
      },
      digest (encoding) {
        if (done) throw new Error('Digest already called')
        done = true
        const made = host(operation, String(name), parts.join(''), key)
        if (made === '') throw new Error(`the digest ${name} is not known`)
        return encoding === undefined ? Buffer.from(made, 'hex') : Buffer.from(made, 'hex').toString(encoding)
      },
    }
  }

  const randomBytes = size => {
    if (!(size >= 0 && size <= 65536)) throw new RangeError('randomBytes() gives 0 to 65,536 bytes')
    return Buffer.from(host('random', '', String(Math.trunc(size)), ''), 'hex')
  }

  const crypto = {
    createHash: name => digester('hash', name, ''),
    createHmac: (name, key) => digester('hmac', name, hex(bytesOf(key, 'utf8'))),
    randomBytes,
    randomUUID () {
      const bytes = randomBytes(16)
      bytes[6] = bytes[6] & 15 | 64
      bytes[8] = bytes[8] & 63 | 128
      return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
    },
    randomInt (least, most) {
      if (most === undefined) [least, most] = [0, least]
      if (!(Number.isSafeInteger(least) && Number.isSafeInteger(most) && least < most)) throw new RangeError('randomInt() takes whole numbers')
      return least + parseInt(randomBytes(6).toString('hex'), 16) % (most - least)
    },
    timingSafeEqual (a, b) {
      if (a.byteLength !== b.byteLength) throw new RangeError('Input buffers must have the same byte length')
      return a.reduce((differs, byte, at) => differs | byte ^ b[at], 0) === 0
    },
  }

  // ---- path, as on POSIX

  function cleaned (path, isAbsolute) {
    const kept = []
    for (const part of path.split('/')) {
      if (part === '' || part === '.') continue
      if (part !== '..') kept.push(part)
      else if (kept.length && kept.at(-1) !== '..') kept.pop()
      else if (!isAbsolute) kept.push('..')
    }
    return kept.join('/')
  }

  const path = {
    sep: '/',
    delimiter: ':',
    isAbsolute: text => text.startsWith('/'),
    normalize (text) {
      const isAbsolute = text.startsWith('/')
      const clean = cleaned(text, isAbsolute)
      if (clean === '') return isAbsolute ? '/' : text.endsWith('/') && text !== '' ? './' : '.'
      return (isAbsolute ? '/' : '') + clean + (text.endsWith('/') ? '/' : '')
    },
    join: (...parts) => path.normalize(parts.filter(part => part !== '').join('/')),
    resolve (...parts) {
      const from = parts.findLastIndex(part => part.startsWith('/'))
      return '/' + cleaned(parts.slice(Math.max(from, 0)).join('/'), true)
    },
    relative (from, to) {
      const a = path.resolve(from).split('/').filter(Boolean)
      const b = path.resolve(to).split('/').filter(Boolean)
      const shared = a.findIndex((part, at) => part !== b[at])
      const same = shared < 0 ? a.length : shared
      return [...a.slice(same).map(() => '..'), ...b.slice(same)].join('/')
    },
    dirname (text) {
      const found = /^(.*?)\/+[^/]*\/*$/s.exec(text)
      if (!found) return '.'
      return found[1] === '' ? '/' : found[1]
    },
    basename (text, suffix = '') {
      const base = /([^/]*)\/*$/.exec(text)[1]
      return suffix && base !== suffix && base.endsWith(suffix) ? base.slice(0, -suffix.length) : base
    },
    extname: text => /^(?!\.\.$).+?(\.[^.]*)$/.exec(path.basename(text))?.[1] ?? '',
    parse (text) {
      const root = text.startsWith('/') ? '/' : ''
      const base = path.basename(text)
      const ext = path.extname(text)
      const dir = /\//.test(text.replace(/\/+$/, '')) ? path.dirname(text) : root
      return { root, dir, base, ext, name: ext ? base.slice(0, -ext.length) : base }
    },
    format ({ root = '', dir, base, name = '', ext = '' }) {
      const last = base ?? name + (ext && !ext.startsWith('.') ? '.' : '') + ext
      if (!dir) return root + last
      return dir === root ? dir + last : `${dir}/${last}`
    },
  }
  path.posix = path

  // ---- url

  const formEncoded = text => encodeURIComponent(text.toWellFormed()).replace(/[!'()~]/g, c => '%' + c.charCodeAt(0).toString(16).toUpperCase()).replace(/%20/g, '+')
  const formDecoded = text => fromUtf8(percentDecoded(text.replace(/\+/g, ' ')))

  function percentDecoded (text) {
    const bytes = []
    const raw = utf8(text)
    for (let at = 0; at < raw.length; at++) {
      const pair = raw[at] === 37 ? String.fromCharCode(raw[at + 1] ?? 0, raw[at + 2] ?? 0) : ''
      if (/^[\da-f]{2}$/i.test(pair)) {
        bytes.push(parseInt(pair, 16))
        at += 2
      } else bytes.push(raw[at])
    }
    return bytes
  }

  class URLSearchParams {
    #pairs = []
    #changed = () => {}

    constructor (from = '', changed = undefined) {
      if (typeof from === 'string') this.#read(from)
      else if (from !== null && typeof from === 'object') {
        const pairs = typeof from[Symbol.iterator] === 'function' ? from : Object.entries(from)
        for (const [name, value] of pairs) this.#pairs.push([String(name), String(value)])
      }
      if (changed) this.#changed = changed
    }

    #read (text) {
      for (const part of text.replace(/^\?/, '').split('&')) {
        if (part === '') continue
        const at = part.indexOf('=')
        this.#pairs.push(at < 0 ? [formDecoded(part), ''] : [formDecoded(part.slice(0, at)), formDecoded(part.slice(at + 1))])
      }
    }

    get size () { return this.#pairs.length }
    append (name, value) { this.#pairs.push([String(name), String(value)]); this.#changed() }
    delete (name) { this.#pairs = this.#pairs.filter(pair => pair[0] !== String(name)); this.#changed() }
    get (name) { return this.#pairs.find(pair => pair[0] === String(name))?.[1] ?? null }
    getAll (name) { return this.#pairs.filter(pair => pair[0] === String(name)).map(pair => pair[1]) }
    has (name) { return this.#pairs.some(pair => pair[0] === String(name)) }
    set (name, value) {
      const at = this.#pairs.findIndex(pair => pair[0] === String(name))
      if (at < 0) return this.append(name, value)
      this.#pairs = this.#pairs.filter((pair, index) => index <= at || pair[0] !== String(name))
      this.#pairs[at] = [String(name), String(value)]
      this.#changed()
    }

    sort () { this.#pairs.sort((a, b) => a[0] < b[0] ? -1 : Number(a[0] > b[0])); this.#changed() }
    forEach (call) { for (const [name, value] of this.#pairs) call(value, name, this) }
    * entries () { yield * this.#pairs.map(pair => [...pair]) }
    * keys () { for (const pair of this.#pairs) yield pair[0] }
    * values () { for (const pair of this.#pairs) yield pair[1] }
    [Symbol.iterator] () { return this.entries() }
    toString () { return this.#pairs.map(pair => pair.map(formEncoded).join('=')).join('&') }
  }

  const PORTS = { 'http:': '80', 'https:': '443', 'ws:': '80', 'wss:': '443', 'ftp:': '21' }
  const ABSOLUTE = /^([a-z][a-z\d+.-]*):(.*)$/is
  const AUTHORITY = /^\/\/(?:([^/?#@]*)@)?(\[[\da-f:.]*\]|[^:/?#[\]@]*)(?::(\d*))?((?:\/[^?#]*)?)((?:\?[^#]*)?)((?:#.*)?)$/is
  const quoted = (text, more) => Array.from(utf8(text), byte => byte > 32 && byte < 127 && !more.includes(String.fromCharCode(byte)) ? String.fromCharCode(byte) : '%' + byte.toString(16).toUpperCase().padStart(2, '0')).join('')

  class URL {
    #parts
    #params

    constructor (text, base) {
      this.#parts = read(String(text).trim(), base === undefined ? undefined : String(base))
      this.#params = new URLSearchParams(this.#parts.search, () => {
        const query = this.#params.toString()
        this.#parts.search = query ? '?' + query : ''
      })
    }

    static canParse (text, base) {
      try {
        return Boolean(new URL(text, base))
      } catch {
        return false
      }
    }

    get protocol () { return this.#parts.protocol }
    get username () { return this.#parts.username }
    get password () { return this.#parts.password }
    get hostname () { return this.#parts.hostname }
    set hostname (value) { this.#parts.hostname = host_(String(value)) }
    get port () { return this.#parts.port }
    get host () { return this.hostname + (this.port && ':' + this.port) }
    get origin () { return PORTS[this.protocol] ? `${this.protocol}//${this.host}` : 'null' }
    get pathname () { return this.#parts.pathname }
    set pathname (value) { this.#parts.pathname = walked('/' + String(value).replace(/^\//, '')) }
    get search () { return this.#parts.search === '?' ? '' : this.#parts.search }
    set search (value) {
      const query = String(value).replace(/^\?/, '')
      this.#parts.search = query && '?' + quoted(query, '"#<>\'')
      this.#params = new URLSearchParams(this.#parts.search, () => {
        const text = this.#params.toString()
        this.#parts.search = text ? '?' + text : ''
      })
    }

    get hash () { return this.#parts.hash === '#' ? '' : this.#parts.hash }
    set hash (value) { this.#parts.hash = String(value) && '#' + quoted(String(value).replace(/^#/, ''), '"<>`') }
    get searchParams () { return this.#params }
    get href () {
      const { username, password } = this
      const login = username || password ? `${username}${password && ':' + password}@` : ''
      return `${this.protocol}//${login}${this.host}${this.pathname}${this.#parts.search}${this.#parts.hash}`
    }

    toString () { return this.href }
    toJSON () { return this.href }
  }

  function host_ (text) {
    const name = fromUtf8(percentDecoded(text)).toLowerCase()
    if (!/^(?:\[[\da-f:.]+\]|[a-z\d._~!$&'()*+,;=-]+)$/.test(name)) throw new TypeError('Invalid URL: the host must be plain ASCII here')
    return name
  }

  function walked (text) {
    const kept = []
    const parts = text.slice(1).split('/')
    parts.forEach((part, at) => {
      const dots = part.replace(/%2e/gi, '.')
      const isLast = at === parts.length - 1
      if (dots === '..') kept.pop()
      else if (dots !== '.') kept.push(part)
      if (isLast && (dots === '..' || dots === '.')) kept.push('')
    })
    return '/' + quoted(kept.join('/'), '"#<>?`{}')
  }

  function read (text, base) {
    const absolute = ABSOLUTE.exec(text)
    if (!absolute) {
      if (base === undefined) throw new TypeError('Invalid URL')
      return read(against(text, new URL(base)))
    }
    const protocol = absolute[1].toLowerCase() + ':'
    if (!PORTS[protocol]) throw new TypeError(`Invalid URL: ${protocol} is not read here; use a module`)
    const found = AUTHORITY.exec(absolute[2].replace(/\\/g, '/').replace(/^\/*/, '//'))
    if (!found || found[2] === '' || Number(found[3] || 0) > 65535) throw new TypeError('Invalid URL')
    const [username, ...password] = (found[1] ?? '').split(':')
    const port = found[3] ? String(Number(found[3])) : ''
    return {
      protocol,
      username: quoted(username, '"#<>?`{}/:;=@[\\]^|'),
      password: quoted(password.join(':'), '"#<>?`{}/:;=@[\\]^|'),
      hostname: host_(found[2]),
      port: port === PORTS[protocol] ? '' : port,
      pathname: walked(found[4] || '/'),
      search: found[5] && '?' + quoted(found[5].slice(1), '"#<>\''),
      hash: found[6] && '#' + quoted(found[6].slice(1), '"<>`'),
    }
  }

  function against (text, base) {
    const login = base.href.slice(base.protocol.length, base.href.indexOf(base.host, base.protocol.length + 2))
    const start = base.protocol + login + base.host
    if (text.startsWith('//')) return base.protocol + text
    if (text.startsWith('/')) return start + text
    if (text.startsWith('?')) return start + base.pathname + text
    if (text === '' || text.startsWith('#')) return start + base.pathname + base.search + text
    return start + base.pathname.replace(/[^/]*$/, '') + text
  }

  const url = { URL, URLSearchParams }
  const buffer = { Buffer, atob, btoa }
  for (const [name, value] of Object.entries({ Buffer, URL, URLSearchParams, TextEncoder, TextDecoder })) define(name, value)

  const known = new Map(Object.entries({ buffer, crypto, path, url }))
  return function require (name) {
    const plain = String(name).replace(/^node:/, '')
    if (!known.has(plain)) throw new Error(`the module ${name} cannot be required in inline code, only buffer, crypto, path and url; use code.module`)
    return known.get(plain)
  }
})()
