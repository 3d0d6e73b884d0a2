// A reader of a published ledger on the stock libraries of the Go checksum database, which know nothing of Bening.
//
//	reader <public folder> <vkey> [<proofs file>]
//
// It opens the signed checkpoint with the log's Ed25519 key, reads every hash through tiles that it proves up to the
// signed root, hashes the entries of every bundle, makes and checks record and tree proofs, and checks those of the
// proofs file, one on a line:
//
//	record <index> <leaf hash> <hash>...
//	tree <old size> <old root> <hash>...
//
// It prints OK, the size and the root, or what is wrong.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: reader <public folder> <vkey> [<proofs file>]")
		os.Exit(2)
	}
	tree, err := check(os.Args[1], os.Args[2], os.Args[3:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "FALSE:", err)
		os.Exit(1)
	}
	fmt.Printf("OK %d %s\n", tree.N, tree.Hash)
}

func check(folder, vkey string, proofs []string) (tlog.Tree, error) {
	tree, err := openCheckpoint(folder, vkey)
	if err != nil {
		return tree, fmt.Errorf("checkpoint: %w", err)
	}
	hashes := tlog.TileHashReader(tree, tiles{folder})
	if err := checkEntries(folder, tree, hashes); err != nil {
		return tree, fmt.Errorf("entries: %w", err)
	}
	if err := checkOwnProofs(tree, hashes); err != nil {
		return tree, fmt.Errorf("proofs from tiles: %w", err)
	}
	for _, name := range proofs {
		if err := checkGivenProofs(tree, name); err != nil {
			return tree, fmt.Errorf("%s: %w", name, err)
		}
	}
	return tree, nil
}

// openCheckpoint opens the note with the one key that it is given, and reads the three lines of its text.
func openCheckpoint(folder, vkey string) (tlog.Tree, error) {
	var tree tlog.Tree
	data, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return tree, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	signed, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("not a checkpoint of %s", verifier.Name())
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// tiles reads tiles from a folder laid out as tlog-tiles.
type tiles struct{ folder string }

func (tiles) Height() int { return height }

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		data, err := readTile(t.folder, tile)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// readTile reads a tile, or the front of the full one that has taken its place. Go's coordinates carry the height,
// tile/8/<L>/<N>; those of tlog-tiles do not.
func readTile(folder string, tile tlog.Tile) ([]byte, error) {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	data, err := os.ReadFile(filepath.Join(folder, "tile", filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) && tile.W < 1<<height {
		full := tile
		full.W = 1 << height
		if data, err = readTile(folder, full); err == nil {
			data = data[:tile.W*tlog.HashSize]
		}
	}
	return data, err
}

// checkEntries requires that every entry of every bundle hashes to the leaf at its index.
func checkEntries(folder string, tree tlog.Tree, hashes tlog.HashReader) error {
	for start := int64(0); start < tree.N; start += 1 << height {
		width := min(tree.N-start, 1<<height)
		entries, err := readBundle(folder, start>>height, int(width))
		if err != nil {
			return err
		}
		for i, entry := range entries {
			index := start + int64(i)
			leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			if err != nil {
				return err
			}
			if tlog.RecordHash(entry) != leaf[0] {
				return fmt.Errorf("entry %d is not the one in the tree", index)
			}
		}
	}
	return nil
}

func readBundle(folder string, number int64, width int) ([][]byte, error) {
	tile := tlog.Tile{H: height, L: 0, N: number, W: width}
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/0/", height))
	data, err := os.ReadFile(filepath.Join(folder, "tile", "entries", filepath.FromSlash(path)))
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(data) >= 2 {
		length := int(binary.BigEndian.Uint16(data))
		if len(data) < 2+length {
			break
		}
		entries = append(entries, data[2:2+length])
		data = data[2+length:]
	}
	if len(data) != 0 || len(entries) != width {
		return nil, fmt.Errorf("bundle %s holds %d entries and %d bytes more", path, len(entries), len(data))
	}
	return entries, nil
}

// checkOwnProofs makes a record proof and a tree proof at up to a thousand places, from tiles, and checks them.
func checkOwnProofs(tree tlog.Tree, hashes tlog.HashReader) error {
	step := max(tree.N/1000, 1)
	for n := int64(0); n < tree.N; n += step {
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
		if err != nil {
			return err
		}
		record, err := tlog.ProveRecord(tree.N, n, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(record, tree.N, tree.Hash, n, leaf[0]); err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
		root, err := tlog.TreeHash(n+1, hashes)
		if err != nil {
			return err
		}
		growth, err := tlog.ProveTree(tree.N, n+1, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(growth, tree.N, tree.Hash, n+1, root); err != nil {
			return fmt.Errorf("tree of %d: %w", n+1, err)
		}
	}
	return nil
}

// checkGivenProofs checks proofs that another implementation has made.
func checkGivenProofs(tree tlog.Tree, name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		words := strings.Split(line, " ")
		if len(words) < 3 {
			return fmt.Errorf("no proof: %q", line)
		}
		n, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return err
		}
		hashes, err := parseHashes(words[2:])
		if err != nil {
			return err
		}
		switch words[0] {
		case "record":
			err = tlog.CheckRecord(tlog.RecordProof(hashes[1:]), tree.N, tree.Hash, n, hashes[0])
		case "tree":
			err = tlog.CheckTree(tlog.TreeProof(hashes[1:]), tree.N, tree.Hash, n, hashes[0])
		default:
			err = fmt.Errorf("no proof: %q", words[0])
		}
		if err != nil {
			return fmt.Errorf("%s %d: %w", words[0], n, err)
		}
	}
	return nil
}

func parseHashes(words []string) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, word := range words {
		data, err := base64.StdEncoding.DecodeString(word)
		if err != nil || len(data) != tlog.HashSize {
			return nil, fmt.Errorf("no hash: %q", word)
		}
		hashes = append(hashes, tlog.Hash(data))
	}
	return hashes, nil
}
