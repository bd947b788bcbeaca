// What the engine has not: how people write dates, numbers and order, in the words of en-US as node gives them. It is evaluated only
// for scripts that name one of these methods, or Intl. What is not here is refused by name: it is never written some other way.
(zones => {
  const MONTHS = 'January February March April May June July August September October November December'.split(' ')
  const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')
  const SYMBOLS = { USD: '$', EUR: '€', GBP: '£', JPY: '¥', INR: '₹', CNY: 'CN¥', KRW: '₩', BRL: 'R$', CAD: 'CA$', AUD: 'A$', MXN: 'MX$', NZD: 'NZ$', HKD: 'HK$', ILS: '₪', VND: '₫', TWD: 'NT$', PHP: '₱' }
  const WHOLE = ['JPY', 'KRW', 'VND']
  const DATE = ['weekday', 'year', 'month', 'day']
  const TIME = ['hour', 'minute', 'second']
  const REFUSED = ['era', 'dayPeriod', 'fractionalSecondDigits', 'calendar', 'numberingSystem', 'unit', 'currencySign', 'roundingMode', 'roundingIncrement', 'trailingZeroDisplay', 'ignorePunctuation', 'caseFirst']

  const define = (place, name, value) => Object.defineProperty(place, name, { value, writable: true, configurable: true, enumerable: false })

  function refuse (what) {
    throw new RangeError(what + ' is not to be had here; a module of the flow (code.module) has all of node')
  }

  // The language that is asked for, of those that are here.
  function language (locales, known) {
    const first = Array.isArray(locales) ? locales[0] : locales
    if (first === undefined || first === 'en' || first === 'en-US') return 'en-US'
    const found = String(first)
    return known.includes(found) ? found : refuse(`the locale ${found}`)
  }

  function taken (options) {
    const given = options === undefined || options === null ? {} : Object(options)
    for (const name of REFUSED) if (given[name] !== undefined) refuse(`the option ${name}`)
    return given
  }

  function among (name, value, words) {
    if (value !== undefined && !words.includes(value)) refuse(`${name}: ${String(value)}`)
    return value
  }

  // ---- numbers

  // The decimal digits that a number is printed with, all of them: sign, digits before and behind the point.
  function decimals (number) {
    if (typeof number === 'bigint') return [number < 0n, String(number < 0n ? -number : number), '']
    const [, sign, whole, behind = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(Object.is(number, -0) ? '-0' : String(number))
    const digits = whole + behind
    const point = whole.length + Number(exponent)
    if (point <= 0) return [sign === '-', '0', '0'.repeat(-point) + digits]
    return [sign === '-', digits.slice(0, point).padEnd(point, '0').replace(/^0+(?=\d)/, ''), digits.slice(point)]
  }

  // Half goes away from zero, by the digits that are printed and not by the binary value, as in node.
  function rounded (whole, behind, most) {
    if (behind.length <= most) return [whole, behind]
    const up = behind[most] >= '5'
    let digits = BigInt(whole + behind.slice(0, most))
    if (up) digits += 1n
    const text = String(digits).padStart(most + 1, '0')
    return [text.slice(0, text.length - most), most ? text.slice(text.length - most) : '']
  }

  function significant (whole, behind, least, most) {
    const digits = (whole + behind).replace(/^0+/, '')
    const first = whole === '0' ? -(/^0*/.exec(behind)[0].length) : whole.length // place of the first digit that counts
    let [front, back] = [whole, behind]
    if (digits.length > most && first > most) {
      const cut = first - most
      const scaled = rounded(whole.slice(0, -cut) || '0', whole.slice(-cut) + behind, 0)[0]
      front = scaled + '0'.repeat(cut)
      back = ''
    } else if (digits.length > most) [front, back] = rounded(whole, behind, most - first)
    back = back.replace(/0+$/, '')
    if (digits === '') return ['0', least > 1 ? '0'.repeat(least - 1) : '']
    const has = front === '0' ? back.replace(/^0+/, '').length : front.length + back.length
    return [front, has < least ? back + '0'.repeat(least - has) : back]
  }

  function digitsOption (given, name, least, most) {
    const value = given[name]
    if (value === undefined) return undefined
    const number = Math.floor(Number(value))
    if (!(number >= least && number <= most)) throw new RangeError(`${name} value is out of range.`)
    return number
  }

  function numberFormat (locales, options) {
    language(locales, [])
    const given = taken(options)
    const style = among('style', given.style, ['decimal', 'percent', 'currency']) ?? 'decimal'
    const notation = among('notation', given.notation, ['standard', 'compact']) ?? 'standard'
    among('compactDisplay', given.compactDisplay, ['short'])
    among('currencyDisplay', given.currencyDisplay, ['symbol', 'narrowSymbol', 'code'])
    among('signDisplay', given.signDisplay, ['auto'])
    const currency = style === 'currency' ? String(given.currency ?? '').toUpperCase() : ''
    if (style === 'currency' && !/^[A-Z]{3}$/.test(currency)) throw new TypeError('Currency code is required with currency style.')
    const usual = style === 'currency' ? (WHOLE.includes(currency) ? 0 : 2) : 0
    const asked = [digitsOption(given, 'minimumFractionDigits', 0, 100), digitsOption(given, 'maximumFractionDigits', 0, 100)]
    const counted = [digitsOption(given, 'minimumSignificantDigits', 1, 21), digitsOption(given, 'maximumSignificantDigits', 1, 21)]
    const integers = digitsOption(given, 'minimumIntegerDigits', 1, 21) ?? 1
    let [least, most] = asked
    least ??= Math.min(usual, most ?? usual)
    most ??= Math.max(least, style === 'decimal' ? 3 : usual)
    const isCounted = counted.some(each => each !== undefined)
    if (isCounted ? (counted[0] ?? 1) > (counted[1] ?? 21) : least > most) throw new RangeError('the least digits are more than the most.')
    const compact = notation === 'compact'
    const grouped = given.useGrouping !== false && given.useGrouping !== 'false'
    const isPlain = !isCounted && asked.every(each => each === undefined)

    function formed (whole, behind) {
      if (isCounted) return significant(whole, behind, counted[0] ?? 1, counted[1] ?? 21)
      if (compact && isPlain) {
        if (whole.length > 1 || (whole !== '0' && behind.length === 0)) return whole.length > 1 ? rounded(whole, behind, 0) : [whole, '']
        return significant(whole, behind, 1, 2)
      }
      const [front, back] = rounded(whole, behind, most)
      return [front, back.replace(/0+$/, '').padEnd(least, '0')]
    }

    function format (value) {
      const number = typeof value === 'bigint' ? value : Number(value)
      if (Number.isNaN(number)) return dressed(false, 'NaN')
      if (number === Infinity || number === -Infinity) return dressed(number < 0, '∞')
      let [negative, whole, behind] = decimals(number)
      if (style === 'percent') [whole, behind] = [(whole + behind.slice(0, 2).padEnd(2, '0')).replace(/^0+(?=\d)/, ''), behind.slice(2)]
      let unit = ''
      if (compact) {
        let step = Math.min(Math.floor((whole.length - 1) / 3), 4)
        for (;;) {
          const cut = step * 3
          const [front, back] = formed(cut ? whole.slice(0, -cut) : whole, cut ? whole.slice(-cut) + behind : behind)
          if (front.length > 3 && step < 4 && front.length > (cut ? whole.length - cut : whole.length)) { step++; continue }
          unit = ['', 'K', 'M', 'B', 'T'][step];
          [whole, behind] = [front, back]
          break
        }
      } else [whole, behind] = formed(whole, behind)
      whole = whole.padStart(integers, '0')
      if (grouped && !(compact && whole.length < 5)) whole = whole.replace(/\B(?=(\d{3})+$)/g, ',')
      return dressed(negative, whole + (behind ? '.' + behind : '') + unit)
    }

    function dressed (negative, text) {
      if (style === 'percent') text += '%'
      if (style === 'currency') {
        const sign = given.currencyDisplay === 'code' ? currency : given.currencyDisplay === 'narrowSymbol' && SYMBOLS[currency] ? SYMBOLS[currency].slice(-1) : SYMBOLS[currency] ?? currency
        text = sign + (/[A-Z]$/.test(sign) ? '\u00a0' : '') + text
      }
      return (negative ? '-' : '') + text
    }
    return { format, resolvedOptions: () => ({ locale: 'en-US', numberingSystem: 'latn', style, ...(currency ? { currency } : {}), minimumFractionDigits: least, maximumFractionDigits: most }) }
  }

  // ---- dates

  // The same instant in a zone, as a date whose UTC fields are the zone's.
  function placed (time, zone) {
    if (zone === undefined) return new Date(time - new Date(time).getTimezoneOffset() * 60000)
    if (/^(UTC|GMT|Etc\/(UTC|GMT)|Zulu)$/i.test(zone)) return new Date(time)
    const offset = /^([+-])(\d\d):?(\d\d)?$/.exec(zone)
    if (offset) return new Date(time + (offset[1] === '-' ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3] ?? 0)) * 60000)
    const changes = zones[zone]
    if (changes === undefined) refuse(`the time zone ${zone} (only those that the script writes out)`)
    let [from, to] = [0, changes.length]
    while (to - from > 1) {
      const middle = (from + to) >> 1
      if (changes[middle][0] <= time) from = middle
      else to = middle
    }
    return new Date(time + changes[from][1] * 1000)
  }

  const two = number => String(number).padStart(2, '0')
  const yearOf = (date, form) => form === '2-digit' ? two(date.getUTCFullYear() % 100) : String(date.getUTCFullYear())
  const dayOf = (date, form) => form === '2-digit' ? two(date.getUTCDate()) : String(date.getUTCDate())
  const named = (words, number, form) => form === 'long' ? words[number] : words[number].slice(0, form === 'short' ? 3 : 1)

  function dateText (date, { weekday, year, month, day }) {
    const on = weekday && named(DAYS, date.getUTCDay(), weekday)
    const has = [weekday, year, month, day].map(each => each ? 'x' : '-').join('')
    if (has === 'x---') return on
    if (has === '-x--') return yearOf(date, year)
    if (has === '---x') return dayOf(date, day)
    if (has === 'x--x') return `${dayOf(date, day)} ${on}`
    if (month === 'numeric' || month === '2-digit') {
      const number = month === '2-digit' ? two(date.getUTCMonth() + 1) : String(date.getUTCMonth() + 1)
      if (has === '-xx-') return `${number}/${yearOf(date, year)}`
      const text = [number, day && dayOf(date, day), year && yearOf(date, year)].filter(each => each).join('/')
      if (weekday && !day) refuse('a weekday with a month and no day')
      return weekday ? `${on}, ${text}` : text
    }
    if (!month || (weekday && !day)) refuse('this choice of parts of a date')
    const name = named(MONTHS, date.getUTCMonth(), month)
    const text = day ? `${name} ${dayOf(date, day)}${year ? `, ${yearOf(date, year)}` : ''}` : `${name}${year ? ` ${yearOf(date, year)}` : ''}`
    return weekday ? `${on}, ${text}` : text
  }

  function timeText (date, { hour, minute, second }, cycle, zoned) {
    const [hours, minutes, seconds] = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    if (!hour) {
      if (minute && second) return `${two(minutes)}:${two(seconds)}`
      return String(minute ? minutes : seconds)
    }
    if (second && !minute) refuse('an hour and a second without a minute')
    const count = cycle === 'h12' ? hours % 12 || 12 : cycle === 'h24' ? hours || 24 : hours
    if (zoned && !minute && cycle !== 'h12') refuse('the name of a time zone behind an hour alone')
    const text = [hour === '2-digit' || cycle !== 'h12' ? two(count) : String(count), ...(minute ? [two(minutes)] : []), ...(second ? [two(seconds)] : [])].join(':')
    return cycle === 'h12' ? `${text} ${hours < 12 ? 'AM' : 'PM'}` : text
  }

  const DATE_STYLES = {
    full: { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' },
    long: { year: 'numeric', month: 'long', day: 'numeric' },
    medium: { year: 'numeric', month: 'short', day: 'numeric' },
    short: { year: '2-digit', month: 'numeric', day: 'numeric' }
  }
  const CLOCK = { hour: 'numeric', minute: 'numeric', second: 'numeric' }
  const CALENDAR = { year: 'numeric', month: 'numeric', day: 'numeric' }

  // What is written where nothing is said: of a date, of a time, or of both.
  function partsOf (given, wanted, usual) {
    if (given.dateStyle !== undefined || given.timeStyle !== undefined) {
      if ([...DATE, ...TIME, 'timeZoneName'].some(name => given[name] !== undefined)) throw new TypeError("Can't set option with dateStyle or timeStyle")
      if (wanted.length < 7 && !wanted.includes(given.dateStyle === undefined ? 'hour' : 'day')) throw new TypeError('Invalid option')
      if (wanted.length < 7 && given.dateStyle !== undefined && given.timeStyle !== undefined) throw new TypeError('Invalid option')
      const styles = ['full', 'long', 'medium', 'short']
      among('dateStyle', given.dateStyle, styles)
      among('timeStyle', given.timeStyle, styles)
      const clock = given.timeStyle === 'short' ? { hour: 'numeric', minute: 'numeric' } : CLOCK
      return { ...(given.dateStyle ? DATE_STYLES[given.dateStyle] : {}), ...(given.timeStyle ? clock : {}) }
    }
    const parts = {}
    for (const name of DATE) if (given[name] !== undefined) parts[name] = among(name, given[name], name === 'weekday' ? ['long', 'short', 'narrow'] : name === 'month' ? ['numeric', '2-digit', 'long', 'short', 'narrow'] : ['numeric', '2-digit'])
    for (const name of TIME) if (given[name] !== undefined) parts[name] = among(name, given[name], ['numeric', '2-digit'])
    const missing = !wanted.some(name => parts[name] !== undefined)
    return missing ? { ...parts, ...usual } : parts
  }

  function zoneText (date, given, zone) {
    const wanted = given.timeZoneName ?? { full: 'long', long: 'short' }[given.timeStyle]
    if (wanted === undefined) return ''
    const isUtc = /^(UTC|Etc\/UTC)$/i.test(zone ?? zones['']?.[0]?.[2] ?? 'UTC')
    if (!isUtc || !['short', 'long'].includes(wanted)) refuse('the name of a time zone other than UTC')
    return wanted === 'long' ? ' Coordinated Universal Time' : ' UTC'
  }

  function dateFormat (locales, options, wanted = [...DATE, ...TIME], usual = CALENDAR) {
    const spoken = language(locales, ['en-CA', 'sv-SE', 'en-GB'])
    const given = taken(options)
    const zone = given.timeZone === undefined ? undefined : String(given.timeZone)
    const parts = partsOf(given, wanted, usual)
    const cycle = given.hour12 === undefined ? among('hourCycle', given.hourCycle, ['h12', 'h23', 'h24']) ?? 'h12' : given.hour12 ? 'h12' : 'h24'
    const dates = DATE.some(name => parts[name] !== undefined)
    const times = TIME.some(name => parts[name] !== undefined)
    const isUsual = dates && !parts.weekday && parts.year === 'numeric' && ['numeric', '2-digit'].includes(parts.month) && ['numeric', '2-digit'].includes(parts.day) && given.dateStyle === undefined
    if (spoken !== 'en-US' && (!isUsual || given.hour12 !== undefined || (times && (spoken === 'en-CA' || !parts.hour || !parts.minute)))) refuse(`this in the locale ${spoken}`)
    if (zone !== undefined) placed(0, zone)

    function format (value) {
      const time = value === undefined ? Date.now() : Number(value)
      if (!(Math.abs(time) <= 8.64e15)) throw new RangeError('Invalid time value')
      const date = placed(time, zone)
      if (spoken !== 'en-US') return foreign(date, spoken, parts, times)
      const clock = times ? timeText(date, parts, cycle, Boolean(given.timeZoneName)) + zoneText(date, given, zone) : ''
      if (!dates) return clock
      const day = dateText(date, parts)
      if (!times && given.timeZoneName) refuse('the name of a time zone without a time')
      if (!times) return day
      if (parts.weekday && !parts.month && !parts.day && !parts.year && parts.hour && (parts.minute || cycle === 'h12') && !given.timeZoneName) return `${day} ${clock}`
      const isLong = given.dateStyle ? ['full', 'long'].includes(given.dateStyle) : parts.month === 'long'
      return `${day}${isLong ? ' at ' : ', '}${clock}`
    }
    const local = zones['']?.[0]?.[2] ?? 'UTC'
    return { format, resolvedOptions: () => ({ locale: spoken, calendar: 'gregory', numberingSystem: 'latn', timeZone: zone ?? local }) }
  }

  // The three that people ask for to get a date of another form: 2026-11-28, 28/11/2026.
  function foreign (date, spoken, parts, times) {
    const [year, month, day] = [String(date.getUTCFullYear()).padStart(4, '0'), two(date.getUTCMonth() + 1), two(date.getUTCDate())]
    const text = spoken === 'en-GB' ? `${day}/${month}/${year}` : `${year}-${month}-${day}`
    if (!times) return text
    return `${text}${spoken === 'en-GB' ? ',' : ''} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}${parts.second ? `:${two(date.getUTCSeconds())}` : ''}`
  }

  function dateMethod (wanted, usual) {
    return function (locales, options) {
      const time = Date.prototype.getTime.call(this)
      return Number.isNaN(time) ? 'Invalid Date' : dateFormat(locales, options, wanted, usual).format(time)
    }
  }

  define(Date.prototype, 'toLocaleString', dateMethod([...DATE, ...TIME], { ...CALENDAR, ...CLOCK }))
  define(Date.prototype, 'toLocaleDateString', dateMethod(DATE, CALENDAR))
  define(Date.prototype, 'toLocaleTimeString', dateMethod(TIME, CLOCK))
  define(Number.prototype, 'toLocaleString', function (locales, options) { return numberFormat(locales, options).format(Number(this)) })
  define(BigInt.prototype, 'toLocaleString', function (locales, options) { return numberFormat(locales, options).format(BigInt(this)) })
  define(Array.prototype, 'toLocaleString', function (locales, options) {
    return Array.from(this, each => each === null || each === undefined ? '' : each.toLocaleString(locales, options)).join(',')
  })

  // ---- order

  const MARKS = '_-,;:!?.\'"()[]{}@*/\\&#%`^+<=>|~$'
  const LETTERS = { ß: 's\ue000s\ue000', æ: 'a\ue000e\ue000', Æ: 'A\ue000E\ue000', œ: 'o\ue000e\ue000', Œ: 'O\ue000E\ue000', ø: 'o\u0338', Ø: 'O\u0338', đ: 'd\u0335', Đ: 'D\u0335', ł: 'l\u0335', Ł: 'L\u0335', ı: 'i' }

  // Of a text: what each letter is, its accents, its case. Compared one after the other.
  function keyed (text, numeric) {
    const plain = String(text).replace(/[ßæÆœŒøØđĐłŁı]/g, letter => LETTERS[letter]).normalize('NFD')
    const [bases, accents, cases] = [[], [], []]
    for (let at = 0; at < plain.length;) {
      if (numeric && /\d/.test(plain[at])) {
        const run = /^\d+/.exec(plain.slice(at))[0]
        const value = run.replace(/^0+(?=\d)/, '')
        bases.push(2e6 + value.length / 1e4 + 0, ...Array.from(value, Number).map(digit => 2e6 + digit / 100))
        cases.push(0)
        accents.push('')
        at += run.length
        continue
      }
      const letter = String.fromCodePoint(plain.codePointAt(at))
      at += letter.length
      if (letter === '\ue000') { // the letter before is half of another, which comes behind both
        cases[cases.length - 1] += 2
        continue
      }
      if (/\p{M}/u.test(letter)) {
        if (accents.length) accents[accents.length - 1] += letter
        continue
      }
      const low = letter.toLowerCase()
      bases.push(weight(low))
      cases.push(low === letter ? 0 : 1)
      accents.push('')
    }
    return [bases, accents, cases]
  }

  function weight (letter) {
    const code = letter.codePointAt(0)
    if (/[\t-\r]/.test(letter)) return code
    if (/\s/.test(letter)) return 100
    if (/\p{Cc}/u.test(letter)) return -1
    if (MARKS.includes(letter)) return 1000 + MARKS.indexOf(letter)
    if (/\d/.test(letter)) return 2e6 + Number(letter) / 100
    if (letter >= 'a' && letter <= 'z') return 3e6 + code
    return (/\p{L}/u.test(letter) ? 4e6 : /\p{N}/u.test(letter) ? 2.5e6 : 1e6) + code
  }

  function firstDifference (left, right) {
    for (let at = 0; at < left.length || at < right.length; at++) {
      if (at >= left.length) return -1
      if (at >= right.length) return 1
      if (left[at] !== right[at]) return left[at] < right[at] ? -1 : 1
    }
    return 0
  }

  function collator (locales, options) {
    const given = taken(options)
    language(locales, ['en-GB', 'en-CA'])
    among('usage', given.usage, ['sort', 'search'])
    const levels = { base: [0], accent: [0, 1], case: [0, 2], variant: [0, 1, 2] }[among('sensitivity', given.sensitivity, ['base', 'accent', 'case', 'variant']) ?? 'variant']
    function compare (left, right) {
      if (String(left) === String(right)) return 0
      const [one, other] = [keyed(left, Boolean(given.numeric)), keyed(right, Boolean(given.numeric))].map(parts => [parts[0].filter(each => each >= 0), parts[1], parts[2]])
      for (const level of levels) {
        const found = firstDifference(one[level], other[level])
        if (found) return found
      }
      return 0
    }
    return { compare, resolvedOptions: () => ({ locale: 'en-US', usage: 'sort', sensitivity: given.sensitivity ?? 'variant', numeric: Boolean(given.numeric) }) }
  }
  define(String.prototype, 'localeCompare', function (other, locales, options) { return collator(locales, options).compare(String(this), String(other)) })

  function maker (make) {
    return function (locales, options) { return make(locales, options) }
  }
  define(globalThis, 'Intl', { NumberFormat: maker(numberFormat), DateTimeFormat: maker(dateFormat), Collator: maker(collator) })
})
