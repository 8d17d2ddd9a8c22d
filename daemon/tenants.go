package daemon

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"math"
	"net"
	"os"
	"strings"

	"github.com/valyala/fasthttp"

	"chimera/api"
	"chimera/config"
	"chimera/paths"
	"chimera/socket"
)

// This file owns who the daemon's clients are: what the endpoints are told of them, for whose share they count, and whether they
// may share a cache.

// peer is what the endpoints are told of a client.
func peer(ctx *fasthttp.RequestCtx) api.Peer {
	p := socket.PeerOf(ctx)
	if p.Unix && !p.Known {
		p.UID = math.MaxUint32 // nobody's: the system has no such user
	}
	return api.Peer{Unix: p.Unix, UID: p.UID, Loopback: p.Loopback, Administers: administers(p), Log: p.Attr()}
}

// administers tells who may change what the daemon holds: who could as well stop it.
func administers(p socket.Peer) bool {
	return p.Unix && p.Known && (p.UID == 0 || p.UID == uint32(os.Geteuid()))
}

// tenants are those of the settings, as requests are held against them.
type tenants struct {
	uids map[uint32]string
	keys []tenantKey
}

type tenantKey struct {
	digest [sha256.Size]byte
	tenant string
}

func newTenants(list []config.Tenant) *tenants {
	t := &tenants{uids: map[uint32]string{}}
	for _, c := range list {
		for _, uid := range c.UIDs {
			t.uids[uid] = c.Name
		}
		for _, digest := range c.Keys {
			k := tenantKey{tenant: c.Name}
			if n, err := hex.Decode(k.digest[:], []byte(digest)); err == nil && n == len(k.digest) { // as checkTenants has seen to
				t.keys = append(t.keys, k)
			}
		}
	}
	return t
}

// of is the tenant that a request counts for, "" for none. A key says more than the user whose program sends it. How long the
// comparison takes tells nothing of any key.
func (t *tenants) of(p api.Peer, key string) (tenant string) {
	digest := sha256.Sum256([]byte(key))
	for i := range t.keys {
		if subtle.ConstantTimeCompare(digest[:], t.keys[i].digest[:]) == 1 {
			tenant = t.keys[i].tenant
		}
	}
	if tenant == "" && p.Unix {
		tenant = t.uids[p.UID]
	}
	return tenant
}

// sites are the settings of what browsers may do.
func sites(c *config.Config) api.Sites {
	machine, err := os.Hostname()
	if err != nil {
		slog.Warn("the machine's name is not known; clients may not call the server by it", "cause", err)
	}
	return api.Sites{Hosts: c.AllowedHosts, Origins: c.CORSOrigins, Own: ownNames(machine, c.HTTP)}
}

// ownNames are what clients may call the server without being told: the machine's name, whole and without its domain, with the
// suffix that names in a local network have, and the name that --http gives the address.
func ownNames(machine, http string) (names []string) {
	short, _, _ := strings.Cut(machine, ".")
	if machine != "" {
		names = []string{machine, short, short + ".local"}
	}
	address, err := socket.TCPAddress(http)
	if host, _, split := net.SplitHostPort(address); err == nil && split == nil && host != "" {
		names = append(names, host)
	}
	return names
}

// isolates tells whether tenants share no pages: as the setting says, else unless nobody but one user can be a client.
func (s *server) isolates() bool {
	if given := s.config.IsolateTenants; given != nil {
		return *given
	}
	return len(s.listeners) != 1 || !isPrivate(s.listeners[0].Addr())
}

// isPrivate tells whether one user alone can reach a listener: root can all.
func isPrivate(at net.Addr) bool {
	u, isUnix := at.(*net.UnixAddr)
	return isUnix && paths.IsPrivate(u.Name)
}
