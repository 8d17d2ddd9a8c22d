package store

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// This file owns the names of answers and of tenants, as they stand in rows.

// ID names an answer: 128 random bits, so that nobody guesses another's. The zero ID names none.
type ID [16]byte

// NewID draws an answer's name.
func NewID() (id ID) {
	rand.Read(id[:]) // it never fails: the process ends first
	return id
}

// String is 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads what String wrote.
func ParseID(text string) (id ID, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return ID{}, fmt.Errorf("%.40q names no answer: that takes %d hexadecimal digits", text, 2*len(id))
	}
	return ID(b), nil
}

// Tenant stands for a tenant's name: its HMAC-SHA256 under a key that is made with the database, cut to 128 bits. Names never
// reach the disk, and without the file nobody can try out names. The zero Tenant is that of requests which name none.
type Tenant [16]byte

// Tenant is what stands for a name in this database; the empty name is no tenant.
func (s *Store) Tenant(name string) (t Tenant) {
	if name == "" {
		return t
	}
	h := hmac.New(sha256.New, s.tenantKey)
	h.Write([]byte(name))
	copy(t[:], h.Sum(nil))
	return t
}

// tenantKeyBytes is the key's length: that of the hash, beyond which HMAC gains nothing (RFC 2104, section 3).
const tenantKeyBytes = sha256.Size

// newTenantKey is a key in the form in which it is stored.
func newTenantKey() string {
	var key [tenantKeyBytes]byte
	rand.Read(key[:])
	return hex.EncodeToString(key[:])
}
