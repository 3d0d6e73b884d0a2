// Tiles and entry bundles: C2SP tlog-tiles, as ledger/tlog/tiles.py.
//
//   tile/0/x001/x234/067        tile/1/000.p/17        tile/entries/000.p/5
//
// A TileReader trusts only the root that it is given: every tile is hashed up to it before any of its hashes is used.

import { sameBytes } from "./bytes.js";
import { formatError, proofError } from "./errors.js";
import { EMPTY_ROOT, HASH_SIZE, fold, rootHash, subtrees } from "./merkle.js";

export const TILE_WIDTH = 256;
export const ENTRIES = -1;
const HEIGHT = 8;

/** Return the path of the tile {level, index, width} below the log's prefix. */
export function tilePath({ level, index, width }) {
  let digits = String(index).padStart(3, "0");
  digits = digits.padStart(Math.ceil(digits.length / 3) * 3, "0");
  const groups = digits.match(/.{3}/g);
  const name = [...groups.slice(0, -1).map((group) => `x${group}`), groups.at(-1)].join("/");
  return `tile/${level === ENTRIES ? "entries" : level}/${name}${width < TILE_WIDTH ? `.p/${width}` : ""}`;
}

/** Return the `count` entries of a bundle: big-endian 16-bit lengths, each before its entry. */
export function parseBundle(data, count) {
  const entries = [];
  let at = 0;
  while (at < data.length && entries.length < count) {
    const end = at + 2 + ((data[at] << 8) | (data[at + 1] ?? 0));
    entries.push(data.subarray(at + 2, end));
    at = end;
  }
  if (entries.length !== count || at !== data.length) {
    throw formatError(`an entry bundle is cut, or does not hold exactly ${count} entries`, "bundle-cut", { count });
  }
  return entries;
}

/** Return the hash of a node from the bytes of the tile that spans it. */
export function hashInTile(tile, data, [level, index]) {
  if (data.length !== tile.width * HASH_SIZE) throw cut(tile, data);
  const inner = level - HEIGHT * tile.level;
  const start = inner >= 0 && inner < HEIGHT ? index * 2 ** inner - tile.index * TILE_WIDTH : -1;
  if (!(start >= 0 && start <= tile.width - 2 ** inner)) {
    throw proofError(`no node ${level}/${index} in ${tilePath(tile)}`, "bad-index", { index, size: tile.width });
  }
  return rootHash(splitHashes(data.subarray(start * HASH_SIZE, (start + 2 ** inner) * HASH_SIZE)));
}

/** Return the hashes that stand one after another in `data`. */
export function splitHashes(data) {
  return Array.from({ length: data.length / HASH_SIZE }, (_, at) => data.subarray(at * HASH_SIZE, (at + 1) * HASH_SIZE));
}

/** The hashes of one signed tree, read from tiles that nobody has to trust; each is fetched once and kept once proven. */
export class TileReader {
  constructor(size, root, fetchTile) {
    this.size = size;
    this.root = root;
    this.fetchTile = fetchTile;
    this.proven = new Map();
    this.read = (nodes) => this._readAll(nodes);
  }

  /** Return the proven bytes of the tile at `level` and `index`, as wide as this tree makes it. */
  async tile(level, index) {
    if (!this.proven.size) await this._proveEdge();
    const name = `${level}/${index}`;
    if (!this.proven.has(name)) await this._prove(this._tile(level, index));
    return this.proven.get(name);
  }

  async _readAll(nodes) {
    const hashes = [];
    for (const node of nodes) hashes.push(await this._hash(node));
    return hashes;
  }

  async _hash(node) {
    const [level, index] = node;
    if (!(level >= 0 && index >= 0 && (index + 1) * 2 ** level <= this.size)) {
      throw proofError(`no node ${level}/${index} in a tree of ${this.size}`, "bad-index", { index, size: this.size });
    }
    const tile = this._tile(...placeOf(node));
    return hashInTile(tile, await this.tile(tile.level, tile.index), node);
  }

  /** The tile with the width that this tree gives it. */
  _tile(level, index) {
    const width = Math.min(TILE_WIDTH, Math.floor(this.size / TILE_WIDTH ** level) - index * TILE_WIDTH);
    if (!(level >= 0 && index >= 0 && width >= 1)) {
      throw proofError(`no tile ${level}/${index} in a tree of ${this.size}`, "bad-index", { index, size: this.size });
    }
    return { level, index, width };
  }

  /** A tile's bytes, cut from the full tile where a partial one has been replaced; proven later, either way. */
  async _read(tile) {
    const data = await this.fetchTile(tile);
    if (![tile.width, TILE_WIDTH].includes(data.length / HASH_SIZE)) throw cut(tile, data);
    return data.subarray(0, tile.width * HASH_SIZE);
  }

  /** Read the tiles of the right edge, and require that they fold to the root. */
  async _proveEdge() {
    if (this.size === 0) {
      if (!sameBytes(this.root, EMPTY_ROOT)) throw differs("", 0);
      return;
    }
    const nodes = subtrees(0, this.size);
    const read = new Map();
    for (const [level, index] of nodes.map(placeOf)) {
      const name = `${level}/${index}`;
      if (!read.has(name)) read.set(name, await this._read(this._tile(level, index)));
    }
    const hashes = nodes.map((node) => {
      const [level, index] = placeOf(node);
      return hashInTile(this._tile(level, index), read.get(`${level}/${index}`), node);
    });
    if (!sameBytes(fold(hashes), this.root)) throw differs("", this.size);
    for (const [name, data] of read) this.proven.set(name, data);
  }

  /** Prove a full tile by its hash in the tile above, and that one before it (a partial one is on the edge). */
  async _prove(tile) {
    const above = await this.tile(tile.level + 1, Math.floor(tile.index / TILE_WIDTH));
    const at = (tile.index % TILE_WIDTH) * HASH_SIZE;
    const data = await this._read(tile);
    if (!sameBytes(rootHash(splitHashes(data)), above.subarray(at, at + HASH_SIZE))) throw differs(tilePath(tile), this.size);
    this.proven.set(`${tile.level}/${tile.index}`, data);
  }
}

/** The level and index of the tile that spans a node. */
function placeOf([level, index]) {
  const inner = level % HEIGHT;
  return [(level - inner) / HEIGHT, Math.floor((index * 2 ** inner) / TILE_WIDTH)];
}

const cut = (tile, data) => formatError(`${tilePath(tile)} has ${data.length} bytes`, "tile-cut", { path: tilePath(tile) });

const differs = (path, size) => proofError("the tiles do not lead to the signed root", "tile-differs", { path, size });
