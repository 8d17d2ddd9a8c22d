package main

// This file owns the part of the list that is who is told what before a connection ends: by the second signal, of a body too large to
// be read; and that a key is one however its scheme is written.

func init() { list = append(list, lastWords...) }

var lastWords = []mutant{
	{
		name: "schemes-part-tenants", file: "api/call.go", pkg: "api", tests: []string{"TestTenantsOfOneKey"},
		old: "strings.EqualFold(scheme, \"Bearer\")", new: "scheme == \"Bearer\"",
	},
	{
		name: "every-key-has-a-scheme", file: "api/call.go", pkg: "api", tests: []string{"TestTenantsOfOneKey"},
		old: "ok && name == fasthttp.HeaderAuthorization {", new: "ok {",
	},
}
