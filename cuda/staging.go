//go:build cuda

package cuda

import (
	"fmt"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"chimera/hostmem"
)

// This file owns the way of weights from a file to the device: a ring of pinned buffers. While one is
// filled from the file, those before it are copied, and repacked, on two streams.

const (
	// stagingBytes is a copy that reaches the bus's full speed; with stagingSlots of them the disk, the
	// CPU and the bus each have one, and one is to spare. They are smaller where no weight is as long.
	stagingBytes = 16 << 20
	stagingSlots = 4
	// argumentBytes is room before each chunk for the struct of the kernel that takes it.
	argumentBytes = 256
	loading       = "loading"
)

// slotRoom is how much of a transfer a slot holds, if the longest one has that many bytes.
func slotRoom(longest int64) int64 {
	return min((longest+arenaAlign-1)/arenaAlign*arenaAlign, stagingBytes)
}

// stagerBytes is what a stager takes of the device, and of the host.
func stagerBytes(longest int64) int64 { return stagingSlots * (argumentBytes + slotRoom(longest)) }

// stager moves weights in. Its methods may be called from several goroutines, close excepted; never
// inside do.
type stager struct {
	d       *device
	room    int64 // of a slot
	streams [2]cu.Stream
	free    chan *slot
	undo    []func() error
}

// slot is one buffer of the ring. Who holds it waits for done before writing to it.
type slot struct {
	host   []byte  // (argumentBytes + room)
	device Pointer // as much
	stream cu.Stream
	done   cu.Event
}

// chunk is the part of a transfer that is in one slot.
type chunk struct {
	offset, bytes   int64
	data, arguments Pointer // where both are on the device, until each's kernel is done
}

// transfer is what send moves: bytes that fill writes, straight to their place or through each.
type transfer struct {
	bytes int64
	unit  int64   // chunks are whole multiples of it, such as a group of rows; 0 for any size
	to    Pointer // where the bytes go; 0 if they stay in the ring, for each
	// fill writes the bytes from offset on. It runs on the caller's goroutine.
	fill func(to []byte, offset int64) error
	// arguments writes what each's kernel is told of the chunk, argumentBytes at most. Only without `to`.
	arguments func(c chunk, to []byte)
	// each queues on s what is done with the chunk once it is on the device. It runs inside do.
	each func(c chunk, s cu.Stream) error
}

// newStager takes the buffers, for transfers of at most longest bytes or whole units; others go in parts.
func newStager(d *device, longest int64) (*stager, error) {
	s := &stager{d: d, room: slotRoom(longest), free: make(chan *slot, stagingSlots)}
	host, err := d.pinned(loading, hostmem.Staging, stagerBytes(longest)) // not write-combined, as what was read is summed up there
	if err != nil {
		return nil, err
	}
	s.undo = append(s.undo, func() error { return d.giveBack(host) })
	if err := d.do(loading, func() error { return s.build(host.Bytes()) }); err != nil {
		return nil, oneCause(err, s.close())
	}
	return s, nil
}

// build makes what the device has of the ring. What was made when it fails is in undo.
func (s *stager) build(host []byte) error {
	memory, err := s.d.memAlloc(int64(len(host)))
	if err != nil {
		return err
	}
	s.onClose(func() error { return s.d.memFree(memory) })
	size := argumentBytes + s.room
	for i := range s.streams {
		stream, err := s.d.makeStream()
		if err != nil {
			return err
		}
		s.streams[i] = stream
		s.onClose(func() error { return s.d.destroyStream(stream) })
	}
	for i := range int64(stagingSlots) {
		event, err := s.d.makeEvent()
		if err != nil {
			return err
		}
		s.onClose(func() error { return s.d.destroyEvent(event) })
		s.free <- &slot{
			host: host[i*size:][:size], device: memory + Pointer(i*size),
			stream: s.streams[i%int64(len(s.streams))], done: event,
		}
	}
	return nil
}

// onClose remembers a call of the device, which close makes inside do.
func (s *stager) onClose(f func() error) {
	s.undo = append(s.undo, func() error { return s.d.do("closing the staging ring of", f) })
}

// upload copies bytes that fill writes to the device. It returns when all is queued: see finish.
func (s *stager) upload(to Pointer, bytes int64, fill func(to []byte, offset int64) error) error {
	return s.send(transfer{bytes: bytes, to: to, fill: fill})
}

// send moves a transfer, chunk by chunk, and returns when all is queued: see finish. After an error
// nothing of it is under way any more.
func (s *stager) send(t transfer) error {
	size := s.room
	if t.unit > 0 {
		size -= size % t.unit
	}
	if size == 0 {
		return fmt.Errorf("%d bytes must be on the device together, a staging buffer holds %d", t.unit, s.room)
	}
	for offset := int64(0); offset < t.bytes; offset += size {
		if err := s.sendChunk(&t, chunk{offset: offset, bytes: min(size, t.bytes-offset)}); err != nil {
			return err
		}
	}
	return nil
}

func (s *stager) sendChunk(t *transfer, c chunk) error {
	k := <-s.free
	defer func() { s.free <- k }()
	err := s.d.do(loading, func() error { return s.d.await(k.done) })
	if err == nil {
		err = t.fill(k.host[argumentBytes:argumentBytes+c.bytes], c.offset)
	}
	if err == nil {
		err = s.d.do(loading, func() error { return s.queue(t, c, k) })
	}
	if err != nil { // the slot is not given back before nothing reads it, nor the caller's memory written
		return oneCause(err, s.finish())
	}
	return nil
}

// queue sends a filled slot on its way. Arguments and data are one copy.
func (s *stager) queue(t *transfer, c chunk, k *slot) error {
	var err error
	if t.to != 0 {
		c.data = t.to + Pointer(c.offset)
		err = s.d.copyIn(c.data, unsafe.Pointer(&k.host[argumentBytes]), c.bytes, k.stream)
	} else {
		c.data, c.arguments = k.device+argumentBytes, k.device
		if t.arguments != nil {
			t.arguments(c, k.host[:argumentBytes])
		}
		err = s.d.copyIn(k.device, unsafe.Pointer(&k.host[0]), argumentBytes+c.bytes, k.stream)
	}
	if err == nil && t.each != nil {
		err = t.each(c, k.stream)
	}
	if err != nil {
		return err
	}
	return s.d.record(k.done, k.stream)
}

// finish waits until all that was sent has arrived and been repacked.
func (s *stager) finish() error {
	return s.d.do(loading, func() error {
		for _, stream := range s.streams {
			if err := s.d.synchronize(stream); err != nil {
				return err
			}
		}
		return nil
	})
}

// close waits for what is under way and gives everything back.
func (s *stager) close() error {
	var err error
	if s.streams[1] != (cu.Stream{}) {
		err = s.finish()
	}
	for _, undo := range slices.Backward(s.undo) {
		err = oneCause(err, undo())
	}
	s.undo = nil
	return err
}
