// Package audit keeps a tamper-evident record of a training run: a Merkle log in a directory, whose entries survive a
// crash once they are acknowledged, whose heads are signed, and which tools of other people can verify.
//
// For most uses call [Open] once, wrap the [Log] in a [Recorder] for the Runner of this module, and [Log.Append] the events
// that deserve a trail of their own: a privacy charge, a refusal, a checkpoint, a configuration. Keep [Log.Key] and, from
// time to time, [Log.Head] somewhere else, and give them to [Verify] later.
//
// # What is promised
//
// Append returns nil only when the entry is on stable storage: it survives kill -9 and the loss of power. Many goroutines
// share one sync. A failed write or sync ends the log, since the kernel may have dropped the pages that it could not write;
// Options.OnFailure says what becomes of those who append then. After a crash Open cuts an incomplete group, none of
// which was acknowledged, and records in the log that the process before did not close it and how much was cut. Any other
// damage makes Open and [Verify] fail, naming the place: a changed bit, an entry removed, repeated or moved, a file cut or
// missing. Nothing is skipped.
//
// The log signs its head when it is closed, on [Log.Checkpoint], and at most Options.CheckpointEvery after an Append. Who
// does not hold the key cannot change what was signed, nor cut it off, without being found out by anybody who has the
// public key and a later head.
//
// # What is not
//
// Until it is signed an entry is protected by checksums, against accidents and not against people: Open signs what it finds
// behind the last head, and records how many entries that were. If the very last
// group of entries rots on the disk before it is signed, it looks like one that a crash left incomplete: it is cut, and
// that is on record. Who holds the key can write another log from its beginning. And an older copy of the whole directory, its own signed head included, is a valid
// log: nothing in it says that there was more. A [Head] kept out of reach of that party (with the model, in a ticket)
// shows both to [Verify], for all that was appended before it was taken; a [Witness] that signs each head only if it
// continues the one before does so without anybody having to remember. A key that lives beside the log (the default)
// protects from those who can write the directory but not read it, and from accidents: pass Options.Key from elsewhere.
//
// # Files
//
// The directory has the layout of C2SP tlog-tiles (https://c2sp.org/tlog-tiles), which the mirrors and verifiers of
// transparency logs read:
//
//	checkpoint                     the head, a signed note (https://c2sp.org/tlog-checkpoint)
//	witnessed                      the last checkpoint with the signatures of a witness
//	tile/entries/<N>[.p/<W>]       256 entries, or the first W of them, each with its length in 16 bits
//	tile/<L>/<N>[.p/<W>]           256 hashes of level L, or the first W of them
//	journal/                       entries on stable storage that may not stand in tiles yet
//	key                            the private key, without Options.Key
//
// An entry goes to the journal first, where one sync acknowledges it and those beside it. Behind that, a goroutine builds
// tiles: each is written under another name, synced, and renamed, so that a tile is whole or not there. The journal is
// shortened by what stands in full tiles under a signed head. Files have mode 0600; "journal" and "key" are not for a
// mirror.
//
// # Entries
//
// An entry is one object of canonical JSON (RFC 8785, and stricter: see [Event]), with the members cid (correlation), data,
// kind, run, seq (from 1), time and v (of this format, 2). The tree is over these bytes as they are stored: verification
// never encodes data anew, so that a member added to an event leaves old entries valid.
package audit
