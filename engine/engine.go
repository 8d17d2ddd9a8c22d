// Package engine is the vocabulary that models, the scheduler and the backends share: the Program
// that a model states, the Batch that a step computes, the Backend that runs both, the numeric
// Policy and the errors. It holds no arithmetic and imports nothing of the project.
//
// This file owns the seam itself: Backend, Instance and what they promise.
package engine

// Backend lowers a Program to a plan of phases and loads it.
type Backend interface {
	// Name is how the backend is called in logs, plans and numerics ids: "cpu", "cuda".
	Name() string
	// Available is how much memory is left for what Plan announces, and what sets that bound: the
	// machine, its control group, a GPU. 0 where that is not known.
	Available() (bytes int64, bound string)
	// Plan lowers the program without taking memory: what Load would run and how much it would need.
	// It refuses with *UnsupportedError what the backend cannot run.
	Plan(*Program, Weights, LoadOptions) (*Plan, error)
	// Load takes the memory that Plan announced, reads and repacks the weights and starts the instance's
	// threads.
	Load(*Program, Weights, LoadOptions) (Instance, error)
}

// LoadOptions are the sizes and choices an instance is built for. Nothing grows afterwards.
type LoadOptions struct {
	Policy       Policy
	Threads      int    // compute threads, the submitting executor included; at least 1
	ISA          string // "auto", "scalar", "avx2" or "avx512"; the CPU backend alone reads it
	Pages        int    // KV pages in the pool, PageTokens positions each
	MaxTokens    int    // rows of one step (T)
	MaxSequences int    // sequences of one step
	MaxOutputs   int    // output rows of one step
	MaxTop       int    // highest Output.Top
	MaxContext   int    // highest position + 1
	// Progress, if not nil, is told how many of the weights' source bytes have been read: rising, from one goroutine
	// at a time.
	Progress func(done, total int64)
}

// Instance is a loaded program. One goroutine (the scheduler's loop, or an offline verb) owns it:
// no method may be called concurrently with another, Close excepted after the last Wait.
type Instance interface {
	Limits() Limits
	Plan() *Plan
	// Digest tells models apart by what is computed with them, for Policy.NumericsID: it covers the weights' bytes, as
	// they were read while loading, and the program. Files that differ in name or in what a step never
	// reads have the same.
	Digest() string
	// NewBatch returns an empty batch whose arrays have the capacities of Limits and lie where the
	// backend reads them fastest. It lives until Close.
	NewBatch() (*Batch, error)
	// Submit starts a step. The batch belongs to the backend until the matching Wait. At most
	// Limits.Depth steps are under way. A batch that breaks a rule of Batch is refused with
	// *BatchError and leaves the instance usable.
	Submit(*Batch) error
	// Wait blocks until the oldest submitted step is done; its results are then in that batch.
	// An error that satisfies errors.Is(err, ErrPoisoned) ends the instance.
	Wait() error
	// CopyPages copies whole KV pages inside the pool, between steps.
	CopyPages([]PageCopy) error
	// ExportPage and ImportPage move one page's bytes (Limits.PageBytes) out of and into the pool.
	ExportPage(page int32, dst []byte) error
	ImportPage(page int32, src []byte) error
	// Close stops the threads and frees all memory, batches included. A second one does nothing.
	Close() error
}

// Limits are the sizes of a loaded instance. Every batch stays within them.
type Limits struct {
	MaxTokens    int
	MaxSequences int
	MaxOutputs   int
	MaxRows      int // outputs with WholeRow in one batch
	MaxTop       int
	MaxContext   int
	Pages        int
	PageTokens   int   // positions in a KV page
	PageBytes    int64 // bytes of one page, all layers
	Vocab        int
	Depth        int // steps that may be under way at once
}

// PageCopy names a copy of one whole page.
type PageCopy struct{ From, To int32 }

// Weights hands a backend the tensors that a Program names, by reading, never as memory: behind mapped memory
// stands a file that may lose its end or its disk, and the kernel then ends the process with a signal.
// Implementations must be usable from several goroutines.
type Weights interface {
	// Tensor returns the named tensor, or an error that names file and tensor.
	Tensor(name string) (Tensor, error)
	// Has tells whether the tensor exists.
	Has(name string) bool
	// Read fills dst, a whole number of rows, with the tensor's bytes from row firstRow on. A file that has
	// lost them, or fails, gives an error that names file and tensor and satisfies errors.Is(err, ErrModelFile).
	Read(name string, firstRow int, dst []byte) error
	// Ahead hints that rows [firstRow, firstRow+rows) are read soon.
	Ahead(name string, firstRow, rows int)
}

// Tensor is a source tensor: Rows x Cols values of Type, row after row.
type Tensor struct {
	Name     string
	Type     DType
	Rows     int // ne1 x ne2 x ne3 of the file, 1 for a vector
	Cols     int // ne0 of the file
	RowBytes int
}
