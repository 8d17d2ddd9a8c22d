package main

// This file owns the part of the list about answers that are about to be told of.

func init() { list = append(list, ending...) }

var ending = []mutant{
	{
		name: "ending-of-anybody", file: "api/ending.go", pkg: "api", tests: []string{"TestEndingIsWaitedFor"},
		old: "		delete(e.all, id)\n", new: "		clear(e.all)\n",
	},
	{
		name: "ending-not-waited-for", file: "api/ending.go", pkg: "api", tests: []string{"TestEndingIsWaitedFor"},
		old: "	if !there {\n		return", new: "	if there {\n		return",
	},
	{
		name: "ending-told-of-before", file: "api/call.go", pkg: "api", tests: []string{"TestReceiptIsWaitedFor"},
		old: "	c.tellAnswered(status)\n	c.server.ending.end(c.answer)\n", new: "	c.server.ending.end(c.answer)\n	c.tellAnswered(status)\n",
	},
}
