package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"chimera/client"
	"chimera/config"
)

// This file owns where the daemon of a client verb is.

// serverVariable names the daemon where no flag does.
const serverVariable = "CHIMERA_SERVER"

func serverFlag(c *cobra.Command) *string {
	return c.Flags().String("server", config.Default().Socket, "`address` of the daemon: path of its Unix socket, PORT, HOST:PORT or URL (environment "+serverVariable+")")
}

// server is the client for the daemon that the flag of a name, with such a value, or else the environment names.
func server(c *cobra.Command, name, flag string) (*client.Client, error) {
	if err := config.CheckVariables(os.Environ(), []string{serverVariable}); err != nil {
		return nil, usageError{err}
	}
	if value := os.Getenv(serverVariable); value != "" && !c.Flags().Changed(name) {
		flag = value
	}
	if strings.TrimSpace(flag) == "" {
		return nil, usageError{fmt.Errorf("--%s is empty: name a socket's path, PORT, HOST:PORT or URL, or leave it out", name)}
	}
	return client.New(flag), nil
}
