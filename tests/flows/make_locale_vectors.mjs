// Asks node how it writes dates and numbers and orders texts, and writes the answers to locale_vectors.json.
//   TZ=UTC node tests/flows/make_locale_vectors.mjs
import { writeFileSync } from 'node:fs'

let state = 88172645
const below = most => { state ^= state << 13; state ^= state >>> 17; state ^= state << 5; return (state >>> 0) % most }
const one = list => list[below(list.length)]
const chance = (options, name, words, odds) => { if (below(odds) === 0) options[name] = one(words) }

const ZONES = ['UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Kolkata', 'Australia/Lord_Howe', 'America/Sao_Paulo', 'Pacific/Apia', 'Asia/Tokyo']
const FORMS = ['numeric', '2-digit']

function date () {
  const options = { timeZone: one(ZONES) }
  if (below(4) === 0) {
    chance(options, 'dateStyle', ['full', 'long', 'medium', 'short'], 2)
    chance(options, 'timeStyle', ['medium', 'short'], 2)
  } else {
    chance(options, 'weekday', ['long', 'short'], 3)
    chance(options, 'year', FORMS, 2)
    chance(options, 'month', [...FORMS, 'long', 'short'], 2)
    chance(options, 'day', FORMS, 2)
    chance(options, 'hour', FORMS, 3)
    chance(options, 'minute', FORMS, 3)
    chance(options, 'second', FORMS, 5)
    chance(options, 'hour12', [true, false], 5)
    chance(options, 'hourCycle', ['h23'], 9)
  }
  return ['date', one(['toLocaleString', 'toLocaleDateString', 'toLocaleTimeString']), below(2 ** 31) * 1000, one(['en-US', 'en-US', 'en-US', 'en-CA', 'sv-SE', 'en-GB']), options]
}

function number () {
  const value = one([() => below(2e9), () => -below(2e9) / 100, () => below(1e6) / 1e3, () => below(1e6) / 1e6, () => below(1e9) * 1e9, () => below(10), () => below(1000) / 10])()
  const options = {}
  chance(options, 'style', ['percent', 'currency'], 3)
  if (options.style === 'currency') options.currency = one(['USD', 'EUR', 'JPY', 'GBP', 'CHF', 'INR'])
  chance(options, 'minimumFractionDigits', [0, 1, 2], 3)
  chance(options, 'maximumFractionDigits', [2, 3, 4], 3)
  chance(options, 'maximumSignificantDigits', [1, 2, 3, 5], 9)
  chance(options, 'notation', ['compact'], 6)
  chance(options, 'useGrouping', [false], 9)
  return ['number', 'toLocaleString', value, 'en-US', options]
}

const LETTERS = ['a', 'A', 'b', 'B', 'z', 'ä', 'Ä', 'é', 'e', 'E', 'ß', 'ss', '1', '2', '10', '9', ' ', '-', '_', '.', 'ñ', 'n', 'ö', 'ø', '日', 'я', 'а', 'α', '!', '$', '(', '#', 'œ', 'ł']
function order () {
  const text = () => Array.from({ length: below(4) }, () => one(LETTERS)).join('')
  return ['text', 'localeCompare', text(), text(), one([{}, {}, { numeric: true }, { sensitivity: 'base' }, { sensitivity: 'accent' }])]
}

const answer = ([kind, method, value, second, options]) => {
  try {
    return kind === 'text' ? value.localeCompare(second, 'en', options) : (kind === 'date' ? new Date(value) : value)[method](second, options)
  } catch {
    return null // it throws
  }
}
const cases = [...Array.from({ length: 600 }, date), ...Array.from({ length: 300 }, number), ...Array.from({ length: 300 }, order)]
const lines = cases.map(each => JSON.stringify([...each, answer(each)]))
writeFileSync(new URL('locale_vectors.json', import.meta.url), `{"node": "${process.version}", "zones": ${JSON.stringify(ZONES)}, "cases": [\n${lines.join(',\n')}\n]}\n`)
