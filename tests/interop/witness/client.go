// A log on the stock libraries of the Go checksum database has its checkpoints cosigned by a witness that it knows only by
// the specification, and torchwood opens them by a policy.
//
//	client key <origin>                              prints a log's private and public key
//	client run <url> <witness vkey> <private key>    grows, rolls back and forks; prints OK, or what is wrong
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type tree struct {
	hashes []tlog.Hash
	size   int64
	salt   string
}

func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		found[i] = t.hashes[index]
	}
	return found, nil
}

func (t *tree) grow(size int64) error {
	for ; t.size < size; t.size++ {
		hashes, err := tlog.StoredHashes(t.size, []byte(fmt.Sprintf("%d%s", t.size, t.salt)), t)
		if err != nil {
			return err
		}
		t.hashes = append(t.hashes, hashes...)
	}
	return nil
}

type log struct {
	signer note.Signer
	policy torchwood.Policy
	url    string
}

// add asks for a cosignature of the first size entries of t; it returns the status, the body and the cosigned checkpoint.
func (l *log) add(t *tree, old, size int64) (int, string, []byte, error) {
	if err := t.grow(size); err != nil {
		return 0, "", nil, err
	}
	root, err := tlog.TreeHash(size, t)
	if err != nil {
		return 0, "", nil, err
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", l.signer.Name(), size, base64.StdEncoding.EncodeToString(root[:]))
	signed, err := note.Sign(&note.Note{Text: text}, l.signer)
	if err != nil {
		return 0, "", nil, err
	}
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", old)
	if old > 0 && old < size {
		proof, err := tlog.ProveTree(size, old, t)
		if err != nil {
			return 0, "", nil, err
		}
		for _, hash := range proof {
			fmt.Fprintln(&body, base64.StdEncoding.EncodeToString(hash[:]))
		}
	}
	body.WriteString("\n")
	body.Write(signed)
	response, err := http.Post(l.url+"/add-checkpoint", "", &body)
	if err != nil {
		return 0, "", nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), append(signed, answer...), err
}

func run(url, witness, private string) error {
	signer, err := note.NewSigner(private)
	if err != nil {
		return err
	}
	cosigner, err := torchwood.NewCosignatureVerifier(witness)
	if err != nil {
		return err
	}
	public, err := note.NewVerifier(os.Getenv("LOG_VKEY"))
	if err != nil {
		return err
	}
	policy := torchwood.ThresholdPolicy(3, torchwood.OriginPolicy(signer.Name()),
		torchwood.SingleVerifierPolicy(public), torchwood.SingleVerifierPolicy(cosigner))
	l, honest, forked := &log{signer, policy, url}, &tree{}, &tree{salt: " forked"}
	old := int64(0)
	for _, size := range []int64{0, 1, 2, 3, 7, 8, 255, 256, 257, 1000, 1000} {
		status, answer, cosigned, err := l.add(honest, old, size)
		if err != nil || status != 200 {
			return fmt.Errorf("size %d: %d %s %v", size, status, answer, err)
		}
		checkpoint, _, err := torchwood.VerifyCheckpoint(cosigned, policy)
		if err != nil || checkpoint.N != size {
			return fmt.Errorf("size %d: %v", size, err)
		}
		old = size
	}
	for _, one := range []struct {
		t      *tree
		old    int64
		size   int64
		status int
		answer string
	}{
		{honest, 0, 500, 409, "1000\n"}, {honest, 500, 1001, 409, "1000\n"}, {honest, 1001, 1000, 400, ""},
		{forked, 1000, 1000, 422, ""}, {forked, 1000, 1100, 422, ""},
	} {
		status, answer, _, err := l.add(one.t, one.old, one.size)
		if err != nil || status != one.status || (one.answer != "" && answer != one.answer) {
			return fmt.Errorf("old %d, size %d: %d %q %v", one.old, one.size, status, answer, err)
		}
	}
	hash := sha256.Sum256([]byte(signer.Name()))
	response, err := http.Get(fmt.Sprintf("%s/%x/checkpoint", url, hash))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	served, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	checkpoint, _, err := torchwood.VerifyCheckpoint(served, policy)
	if err != nil || checkpoint.N != 1000 {
		return fmt.Errorf("the monitor's checkpoint: %v", err)
	}
	return nil
}

func main() {
	err := errors.New("usage: client key <origin> | run <url> <witness vkey> <private key>")
	if len(os.Args) == 3 && os.Args[1] == "key" {
		var private, public string
		if private, public, err = note.GenerateKey(nil, os.Args[2]); err == nil {
			fmt.Printf("%s\n%s\n", strings.TrimSpace(private), public)
		}
	}
	if len(os.Args) == 5 && os.Args[1] == "run" {
		if err = run(os.Args[2], os.Args[3], os.Args[4]); err == nil {
			fmt.Println("OK")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "FALSE:", err)
		os.Exit(1)
	}
}
