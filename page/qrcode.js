// QR codes, as in ISO/IEC 18004:2015, of which the sections are named below. Bytes
// only, with error correction of level M: all that a link needs. A symbol is a list
// of rows, from the top, of modules: true if dark. It has no quiet zone.

// How the codewords of each version are divided (Table 9): into so many blocks, each
// of so many codewords of data and of error correction.
const VERSIONS = [
  { version: 1, blocks: 1, data: 16, correction: 10 },
  { version: 2, blocks: 1, data: 28, correction: 16 },
  { version: 3, blocks: 1, data: 44, correction: 26 },
  { version: 4, blocks: 2, data: 32, correction: 18 },
  { version: 5, blocks: 2, data: 43, correction: 24 },
  { version: 6, blocks: 4, data: 27, correction: 16 },
  { version: 7, blocks: 4, data: 31, correction: 18 },
];

const BYTE_MODE = 0b0100; // 7.4.1
const PADDING = [0b11101100, 0b00010001]; // 7.4.10
const LEVEL_M = 0b00; // 7.9.1

// The light margin around a symbol (5.3.8), in modules.
const QUIET_ZONE = 4;

// Which modules each mask inverts (Table 10).
const MASKS = [
  (row, column) => (row + column) % 2 === 0,
  (row) => row % 2 === 0,
  (_, column) => column % 3 === 0,
  (row, column) => (row + column) % 3 === 0,
  (row, column) => (Math.floor(row / 2) + Math.floor(column / 3)) % 2 === 0,
  (row, column) => ((row * column) % 2) + ((row * column) % 3) === 0,
  (row, column) => (((row * column) % 2) + ((row * column) % 3)) % 2 === 0,
  (row, column) => (((row + column) % 2) + ((row * column) % 3)) % 2 === 0,
];

// Draw the symbol of a text, with its quiet zone, as the only path in an <svg>. The
// style sheet says how large and in which colours.
export function renderQRCode(svg, text) {
  const symbol = encode(text);
  const size = symbol.length + 2 * QUIET_ZONE;
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const squares = symbol.flatMap((modules, row) =>
    modules.map((isDark, column) =>
      isDark ? `M${column + QUIET_ZONE} ${row + QUIET_ZONE}h1v1h-1z` : "",
    ),
  );
  path.setAttribute("d", squares.join(""));
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("shape-rendering", "crispEdges");
  svg.replaceChildren(path);
}

// Return the smallest symbol that holds a text, with the best of the masks. Throw a
// RangeError if the text has more than 122 bytes in UTF-8.
export function encode(text) {
  const bytes = [...new TextEncoder().encode(text)];
  // The mode and the length take 12 bits, and the terminator the other 4 of 16.
  const layout = VERSIONS.find(({ blocks, data }) => bytes.length + 2 <= blocks * data);
  if (layout === undefined) {
    throw new RangeError(`A QR code of ${bytes.length} bytes is too large.`);
  }
  const codewords = addCorrection(addHeader(bytes, layout), layout);
  const symbols = MASKS.map((_, mask) => createSymbol(layout.version, codewords, mask));
  const penalties = symbols.map(penalty);
  return symbols[penalties.indexOf(Math.min(...penalties))];
}

// Return the codewords of data: mode, length, bytes, terminator and padding (7.4).
function addHeader(bytes, { blocks, data }) {
  const bits = [BYTE_MODE, bytes.length >> 4, bytes.length & 15].concat(
    bytes.flatMap((byte) => [byte >> 4, byte & 15]),
    0,
  );
  const codewords = [];
  for (let i = 0; i < bits.length; i += 2) {
    codewords.push((bits[i] << 4) | bits[i + 1]);
  }
  for (let i = 0; codewords.length < blocks * data; i++) {
    codewords.push(PADDING[i % 2]);
  }
  return codewords;
}

// Return the codewords of all blocks in the order in which they are placed: the first
// of each block, the second of each, and so on; then those of correction (7.6).
function addCorrection(codewords, { blocks, data, correction }) {
  const divisor = generator(correction);
  const pieces = Array.from({ length: blocks }, (_, block) =>
    codewords.slice(block * data, (block + 1) * data),
  );
  const corrections = pieces.map((piece) => remainder(piece, divisor));
  return [...interleave(pieces), ...interleave(corrections)];
}

function interleave(pieces) {
  return pieces[0].flatMap((_, i) => pieces.map((piece) => piece[i]));
}

// Reed-Solomon codes (7.5.2): polynomials over the field of 256 elements, as lists of
// coefficients, the highest first.

// Return (x - 1)(x - 2)(x - 4)…, of a degree, without its leading 1.
function generator(degree) {
  let polynomial = [1];
  let root = 1;
  for (let i = 0; i < degree; i++) {
    const raised = [...polynomial, 0];
    polynomial = raised.map(
      (coefficient, j) => coefficient ^ multiply(polynomial[j - 1] ?? 0, root),
    );
    root = multiply(root, 2);
  }
  return polynomial.slice(1);
}

// Return what is left when a polynomial, raised by the divisor's degree, is divided.
function remainder(polynomial, divisor) {
  let rest = divisor.map(() => 0);
  for (const coefficient of polynomial) {
    const factor = coefficient ^ rest[0];
    rest = [...rest.slice(1), 0].map((each, i) => each ^ multiply(divisor[i], factor));
  }
  return rest;
}

// Multiply two elements: as polynomials over 0 and 1, modulo x⁸ + x⁴ + x³ + x² + 1.
function multiply(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ (product & 128 ? 0b100011101 : 0);
    product ^= (b >> bit) & 1 ? a : 0;
  }
  return product;
}

// Return a value, followed by the bits that protect it: those that are left when it is
// divided by a polynomial over 0 and 1 (Annex C and D).
function protect(value, divisor) {
  const degree = 31 - Math.clz32(divisor);
  let rest = value << degree;
  while (rest >> degree !== 0) {
    rest ^= divisor << (31 - Math.clz32(rest) - degree);
  }
  return (value << degree) | rest;
}

// Return the symbol of some codewords with a mask.
function createSymbol(version, codewords, mask) {
  const size = 17 + 4 * version;
  const symbol = Array.from({ length: size }, () => Array(size).fill(null));
  drawPatterns(symbol, version);
  drawFormat(symbol, mask);
  const isBitSet = (i) => ((codewords[i >> 3] ?? 0) >> (7 - (i & 7))) & 1;
  let i = 0;
  for (const [row, column] of places(size)) {
    if (symbol[row][column] === null) {
      symbol[row][column] = Boolean(isBitSet(i)) !== MASKS[mask](row, column);
      i += 1;
    }
  }
  return symbol;
}

// Draw what tells a reader where the symbol is, and how large (6.3, 7.10).
function drawPatterns(symbol, version) {
  const size = symbol.length;
  // Timing: a dotted line, across and down.
  for (let i = 0; i < size; i++) {
    symbol[6][i] = symbol[i][6] = i % 2 === 0;
  }
  // Finders, in three corners, within a light margin.
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]]) {
    drawSquare(symbol, row, column, [true, true, false, true, false]);
  }
  // Alignment: in a grid, but for the corners that have finders.
  const ends = version === 1 ? [] : [6, size - 7];
  const grid = version < 7 ? ends : [6, 22, size - 7];
  for (const row of grid) {
    for (const column of grid) {
      const isCorner = [row, column].every((each) => ends.includes(each));
      if (!isCorner || Math.min(row, column) > 6) {
        drawSquare(symbol, row, column, [true, false, true]);
      }
    }
  }
  // The version, from 7 on, beside two of the finders.
  if (version >= 7) {
    const bits = protect(version, 0b1111100100101);
    for (let i = 0; i < 18; i++) {
      const [along, across] = [Math.floor(i / 3), size - 11 + (i % 3)];
      symbol[along][across] = symbol[across][along] = Boolean((bits >> i) & 1);
    }
  }
}

// Draw squares around a module, of which the colours are given from within.
function drawSquare(symbol, row, column, colours) {
  const reach = colours.length - 1;
  for (let down = -reach; down <= reach; down++) {
    for (let right = -reach; right <= reach; right++) {
      if (symbol[row + down]?.[column + right] !== undefined) {
        const distance = Math.max(Math.abs(down), Math.abs(right));
        symbol[row + down][column + right] = colours[distance];
      }
    }
  }
}

// Draw, twice, which level of correction and which mask the symbol has (7.9).
function drawFormat(symbol, mask) {
  const size = symbol.length;
  const bits = protect((LEVEL_M << 3) | mask, 0b10100110111) ^ 0b101010000010010;
  for (let i = 0; i < 15; i++) {
    const isDark = Boolean((bits >> i) & 1);
    // Around the finder on the top left, where the timing is left out, …
    const near = i < 6 ? i : i + 1;
    const place = i < 8 ? [near, 8] : [8, i === 8 ? 7 : 14 - i];
    symbol[place[0]][place[1]] = isDark;
    // … and below and beside the two others.
    const [row, column] = i < 8 ? [8, size - 1 - i] : [size - 15 + i, 8];
    symbol[row][column] = isDark;
  }
  symbol[size - 8][8] = true;
}

// Yield the places of a symbol as bits are placed (7.7.3): up and down, in columns two
// modules wide, from the right, leaving out the timing.
function* places(size) {
  let isUp = true;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) {
      right -= 1;
    }
    for (let i = 0; i < size; i++) {
      const row = isUp ? size - 1 - i : i;
      yield [row, right];
      yield [row, right - 1];
    }
    isUp = !isUp;
  }
}

// Return how hard to read a symbol is (7.8.3.1).
function penalty(symbol) {
  const turned = symbol.map((_, i) => symbol.map((row) => row[i]));
  const lines = [...symbol, ...turned].map((line) =>
    line.map((isDark) => (isDark ? "1" : "0")).join(""),
  );
  let sum = 0;
  for (const line of lines) {
    // Five or more in a row that are alike.
    for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) {
      sum += run.length - 2;
    }
    // What looks like a finder, with light on one side at least. Around is light.
    const wide = `0000${line}0000`;
    for (let i = 4; i < line.length; i++) {
      const [before, here] = [wide.slice(i - 4, i), wide.slice(i, i + 11)];
      const isLight = before === "0000" || here.endsWith("0000");
      sum += here.startsWith("1011101") && isLight ? 40 : 0;
    }
  }
  // Squares of two by two that are alike.
  for (let row = 1; row < symbol.length; row++) {
    for (let column = 1; column < symbol.length; column++) {
      const [above, below] = [symbol[row - 1], symbol[row]];
      const four = [above[column - 1], above[column], below[column - 1], below[column]];
      sum += new Set(four).size === 1 ? 3 : 0;
    }
  }
  // More dark than light, or less, in steps of 5 percent.
  const dark = symbol.flat().filter(Boolean).length;
  const percent = (100 * dark) / symbol.length ** 2;
  return sum + 10 * Math.floor(Math.abs(percent - 50) / 5);
}
