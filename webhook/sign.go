package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// This file owns the key, and how events are signed with it.

// Headers of an event: who has the key knows by the first who sent it and when, and by the second whether he has seen it before.
const (
	SignatureHeader = "X-Chimera-Signature"
	EventHeader     = "X-Chimera-Event"
)

// Key is a secret that the receiver has too.
type Key struct{ secret []byte }

// Lengths of a key in bytes: HMAC-SHA256 takes any, and fewer than 16 can be guessed (RFC 2104, section 3).
const (
	leastKey = 16
	mostKey  = 4096
)

// ReadKey reads a key: a path, or the name of a credential of the service manager (systemd.exec(5), LoadCredential=). It is the file's content without white space
// at its ends. A file that others than its owner may read is refused.
func ReadKey(name string) (Key, error) {
	path := name
	if !strings.ContainsRune(name, filepath.Separator) {
		folder := os.Getenv("CREDENTIALS_DIRECTORY")
		if folder == "" {
			return Key{}, fmt.Errorf("%q is the name of a credential, and the service manager gives none (LoadCredential=%s:FILE): else write a path with a /", name, name)
		}
		path = filepath.Join(folder, name)
	}
	f, err := os.Open(path)
	if err != nil {
		return Key{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return Key{}, err
	case !info.Mode().IsRegular():
		return Key{}, fmt.Errorf("%s is no file", path)
	case info.Mode().Perm()&0o077 != 0:
		return Key{}, fmt.Errorf("%s has mode %04o: others than its owner may use it; chmod 600 it", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, mostKey+1))
	if err != nil {
		return Key{}, err
	}
	if len(text) > mostKey {
		return Key{}, fmt.Errorf("%s has more than %d bytes", path, mostKey)
	}
	key, err := NewKey(text)
	if err != nil {
		return key, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// NewKey is a key of that secret.
func NewKey(text []byte) (Key, error) {
	secret := bytes.TrimSpace(text)
	if len(secret) < leastKey {
		return Key{}, errors.New("a key has 16 bytes at least: openssl rand -hex 32 makes one")
	}
	return Key{secret}, nil
}

// Sign is the signature's header: t=TIME,v1=HEX, the time in seconds since 1970 and HMAC-SHA256 (RFC 2104) of the time, a full stop and the body. With the time
// in it a receiver can refuse what somebody has recorded and sends again.
func (k Key) Sign(now time.Time, body []byte) string {
	at := strconv.FormatInt(now.Unix(), 10)
	h := hmac.New(sha256.New, k.secret)
	h.Write([]byte(at + "."))
	h.Write(body)
	return "t=" + at + ",v1=" + hex.EncodeToString(h.Sum(nil))
}
