// What every script finds beside the language, and how its value leaves. Evaluated anew for each script, before it.
// Intrinsics are taken here, before a stranger's code can replace them.
// Gives a function of the long name of the machine's time zone, '' where none is known.
(zone => {
  const { stringify } = JSON
  const Promise = globalThis.Promise
  const text = String
  const isArray = Array.isArray
  const keys = Object.keys
  const define = Object.defineProperty
  const has = Function.prototype.call.bind(Object.prototype.hasOwnProperty)
  const then = Function.prototype.call.bind(Promise.prototype.then)
  const slice = Function.prototype.call.bind(String.prototype.slice)
  const push = Function.prototype.call.bind(Array.prototype.push)

  const MAX_SAID = 2000 // characters of one message
  const MAX_LINES = 100 // of the console
  const said = []

  function visible (name, value) {
    define(globalThis, name, { value, writable: true, configurable: true, enumerable: false })
  }

  function shown (value) {
    try {
      if (typeof value === 'string') return slice(value, 0, MAX_SAID)
      const json = typeof value === 'object' && value !== null && !(value instanceof Error) ? stringify(value) : undefined
      return slice(json === undefined ? text(value) : json, 0, MAX_SAID)
    } catch {
      return '[what cannot be shown]'
    }
  }

  function log (...values) {
    if (said.length >= MAX_LINES) return
    let line = ''
    for (let at = 0; at < values.length; at++) line += (at ? ' ' : '') + shown(values[at])
    push(said, slice(line, 0, MAX_SAID))
  }

  // node writes the zone's name behind the offset, also in `${date}` and date + ''.
  for (const name of zone === '' ? [] : ['toString', 'toTimeString']) {
    const plain = Function.prototype.call.bind(Date.prototype[name])
    const named = { [name] () { const said = plain(this); return said === 'Invalid Date' ? said : `${said} (${zone})` } }
    define(Date.prototype, name, { value: named[name], writable: true, configurable: true, enumerable: false })
  }

  const console = {}
  for (const level of ['debug', 'error', 'info', 'log', 'trace', 'warn']) console[level] = log
  visible('console', console)

  visible('contains', (place, wanted) => isArray(place)
    ? place.includes(wanted)
    : typeof place === 'string' && wanted !== null && wanted !== undefined && place.includes(text(wanted)))
  visible('length', value => typeof value === 'string' || isArray(value)
    ? value.length
    : value !== null && typeof value === 'object' ? keys(value).length : 0)
  visible('isEmpty', value => value === null || value === undefined || value === '' ||
    (typeof value === 'object' && keys(value).length === 0))

  function cloned (value, seen) {
    if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError(text(value) + ' could not be cloned')
    if (value === null || typeof value !== 'object') return value
    if (seen.has(value)) return seen.get(value)
    const keep = made => { seen.set(value, made); return made }
    if (value instanceof Date) return keep(new Date(value.getTime()))
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags))
    if (value instanceof Error) return keep(Object.assign(new Error(value.message), { name: value.name, stack: value.stack }))
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return keep(value.slice())
    if (value instanceof Map) {
      const made = keep(new Map())
      for (const [key, inner] of value) made.set(cloned(key, seen), cloned(inner, seen))
      return made
    }
    if (value instanceof Set) {
      const made = keep(new Set())
      for (const inner of value) made.add(cloned(inner, seen))
      return made
    }
    const made = keep(isArray(value) ? new Array(value.length) : {})
    for (const key of keys(value)) define(made, key, { value: cloned(value[key], seen), writable: true, enumerable: true, configurable: true })
    return made
  }
  visible('structuredClone', value => cloned(value, new Map()))

  function field (thrown, name) {
    try {
      const value = thrown[name]
      return value === undefined || value === null ? '' : slice(text(value), 0, MAX_SAID)
    } catch {
      return ''
    }
  }

  function failure (thrown) {
    const isError = thrown !== null && typeof thrown === 'object' && (thrown instanceof Error || has(thrown, 'message'))
    const told = isError
      ? { name: field(thrown, 'name'), message: field(thrown, 'message'), stack: field(thrown, 'stack') }
      : { name: '', message: 'threw ' + shown(thrown), stack: '' }
    return ['thrown', stringify({ ...told, said })]
  }

  function success (value, limit) {
    let json
    try {
      json = stringify(value)
    } catch (error) {
      return failure(error)
    }
    if (json === undefined) json = 'null'
    return json.length > limit ? ['large', ''] : ['value', json]
  }

  // Starts the script. What it gives tells, asked with 0, how the script ended, or '' while it has not: value, large (its JSON
  // is too long), thrown; and asked with 1 the JSON of what it gave or threw. Two answers, for the host takes no joined texts.
  return (script, names, require, limit) => {
    const $ = names.$
    for (const name of ['input', 'steps', 'loop', 'env']) visible(name, $[name])
    visible('data', names.data)
    visible('output', names.output)
    let end = ['', '']
    try {
      const value = script($, require)
      if (value instanceof Promise) then(value, given => { end = success(given, limit) }, error => { end = failure(error) })
      else end = success(value, limit)
    } catch (error) {
      end = failure(error)
    }
    return part => end[part]
  }
})
