// Package engine is the vocabulary that models, the scheduler and the backends share: the Program
// that a model states, the Batch that a step computes, the Backend that runs both, the numeric
// Policy and the errors. It holds no arithmetic and imports nothing of the project.
//
// This file owns the seam itself: Backend, Instance and what they promise.
package engine

// Backend owns a device: one pool of workers and one queue of steps for all of its instances. Their steps run one
// at a time, in the order of Submit, but that a step which is not background goes before one that is.
type Backend interface {
	// Name is how the backend is called in logs, plans and numerics ids: "cpu", "cuda".
	Name() string
	// Available is how much memory is left for what Plan announces, and what sets that bound: the
	// machine, its control group, a GPU. Loads under way have their memory already. Where it is not known bound is
	// "": 0 bytes of some bound are no room at all.
	Available() (bytes int64, bound string)
	// Plan lowers the program without taking memory: what Load would run and how much it would need.
	// It refuses with *UnsupportedError what the backend cannot run.
	Plan(*Program, Weights, LoadOptions) (*Plan, error)
	// Load takes the memory that Plan announced and repacks the weights, in background chunks: instances that
	// serve meanwhile hardly notice.
	Load(*Program, Weights, LoadOptions) (Instance, error)
	// Close stops the workers and gives the device back, after its instances were closed.
	Close() error
}

// LoadOptions are the sizes and choices an instance is built for. Nothing grows afterwards.
type LoadOptions struct {
	Policy       Policy
	Pages        []int // of each group of the program: KV pages in the pool, or slots
	MaxTokens    int   // rows of one step (T)
	MaxVectors   int   // rows of one step that are given as vectors
	MaxSequences int   // sequences of one step
	MaxOutputs   int   // output rows of one step
	MaxTop       int   // highest Output.Top
	MaxTargets   int   // listed targets of one step, all outputs together
	MaxContext   int   // highest position + 1
	// Share, if not nil, is an instance of the same backend whose pages this one uses instead of its own: each of
	// the program's groups is, by name and geometry, one of that instance's. So a decoder reads what an encoder
	// wrote. Pages then is that instance's.
	Share Instance
	// SmallPages keeps the kernel from giving huge pages, to find out what these are worth. A GPU's memory has pages of its own: it refuses.
	SmallPages bool
	// Progress, if not nil, is told how many of the weights' source bytes have been read: rising, from one goroutine
	// at a time.
	Progress func(done, total int64)
}

// Generation names the weights that an instance was loaded with (1) or that Replace gave it (2, 3 ...).
type Generation int32

// Instance is a loaded program. One goroutine (the scheduler's loop, or an offline verb) owns it: no method
// may be called concurrently with another, except Replace, which runs beside all but Close, and Withdraw.
//
// It is four parts: the backend's workers, pages (the cache), weights by generation, and for each generation its
// plan. Generations share the pages; who keys what a page holds puts the generation's numerics id in the key.
type Instance interface {
	Limits() Limits
	// Plan is that of the newest generation.
	Plan() *Plan
	// NewBatch returns an empty batch whose arrays have the capacities of Limits and lie where the
	// backend reads them fastest. It lives until Close.
	NewBatch() (*Batch, error)
	// Submit starts a step. The batch belongs to the backend until the matching Wait. At most
	// Limits.Depth steps are under way. A batch that breaks a rule of Batch, is another instance's, names a generation
	// that is not there, or would write a page in transfer, is refused with *BatchError and leaves the instance usable.
	Submit(*Batch) error
	// Wait blocks until the oldest submitted step is done; its results are then in that batch. ErrAborted:
	// the background step gave way, and is to be planned again. An error that satisfies
	// errors.Is(err, ErrPoisoned) ends the instance.
	Wait() error
	// Withdraw ends the background step under way, if there is one that is not done, as one that gave way: its owner
	// wants to leave, and it might wait for as long as others are served. It may be called beside Wait, at any time.
	Withdraw()
	// CopyPages copies whole pages inside a group's pool, in any order: behind the steps that are under way, before those that are
	// submitted later. Where Limits.Depth is 1 it is called between steps: what a step under way is in the way of is refused.
	CopyPages(GroupID, []PageCopy) error
	// Export and Import move one page's bytes (GroupLimits.PageBytes) out of and into the pool, beside steps. Until
	// the ticket is done the buffer is the backend's, and the page is neither written by a step nor given away.
	Export(g GroupID, page int32, dst []byte) (*Ticket, error)
	Import(g GroupID, page int32, src []byte) (*Ticket, error)
	// Generation is the newest generation.
	Generation() Generation
	// Replace loads other weights for the same program, in background chunks, and returns their generation; steps of the
	// others go on. Where both don't fit in memory it refuses with *NoRoomError, until Retire has made room.
	Replace(Weights, func(done, total int64)) (Generation, error)
	// Retire frees a generation that no sequence needs any more; the newest cannot be.
	Retire(Generation) error
	// Digest tells models apart by what is computed with them, for Policy.NumericsID: it covers the bytes of the
	// generation's weights, as they were read while loading, and the program. Files that differ in name or in what a
	// step never reads have the same. It is empty of a generation that is not there, and may be asked for beside steps.
	Digest(Generation) string
	// Close frees all memory, batches included. A second one is harmless.
	Close() error
}

// Limits are the sizes of a loaded instance. Every batch stays within them.
type Limits struct {
	MaxTokens    int
	MaxVectors   int
	VectorWidth  int
	MaxSequences int
	MaxOutputs   int
	MaxRows      int // outputs with WholeRow in one batch
	MaxTaps      int // outputs with Tapped in one batch
	TapWidth     int // of a row of Batch.Taps; 0: the program has no taps
	MaxTop       int
	MaxContext   int
	Groups       []GroupLimits // in the order of Program.Groups
	Vocab        int
	Depth        int // steps that may be under way at once
	// BackgroundRows is the most rows of a background step on a device that can't abort one; 0: as many as of any.
	BackgroundRows int
}

// GroupLimits are the sizes of a group's pool.
type GroupLimits struct {
	Name      string
	Pages     int   // ids are 0 to Pages-1; slots alike
	PageBytes int64 // of one page or slot, all layers
	Slots     bool
	Mask      Mask
	Window    int
	Written   bool // the program has a Store to it: of mask Cross, it is the one that others read
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
	// PartRows is how many rows a read should ask for at most, where reading computes them: about a millisecond's. 0: any.
	PartRows int
}
