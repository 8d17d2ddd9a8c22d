package config

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// This file owns the setting that says where to compute.

// device is the setting of that name: auto, cpu or cuda:N.
type device struct{ value *string }

func (d device) String() string { return *d.value }

// Type is what --help calls the value.
func (d device) Type() string { return "string" }

// Set implements pflag.Value.
func (d device) Set(text string) error {
	if _, err := GPUIndex(text); err != nil {
		return err
	}
	*d.value = text
	return nil
}

// What a device setting names when it names no GPU by its number.
const (
	AutoDevice = -1
	CPUDevice  = -2
)

// GPUIndex is the N of cuda:N, or AutoDevice or CPUDevice.
func GPUIndex(text string) (int, error) {
	switch text {
	case "auto", "": // verbs made in code leave it out
		return AutoDevice, nil
	case "cpu":
		return CPUDevice, nil
	}
	number, found := strings.CutPrefix(text, "cuda:")
	n, err := strconv.ParseUint(number, 10, 8)
	if !found || err != nil {
		return 0, errors.New("use auto, cpu or cuda:N")
	}
	return int(n), nil
}

// DeviceFlag binds the setting alone, for verbs that load no model.
func DeviceFlag(f *pflag.FlagSet, to *string, usage string) { f.Var(device{to}, "device", usage) }
