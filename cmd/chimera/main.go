// Command chimera is the inference daemon and its tools: verbs and flags, no logic.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
