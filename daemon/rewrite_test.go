package daemon

import "flag"

// rewrite has tests write the documents and files that they else compare with what they make.
var rewrite = flag.Bool("rewrite", false, "write the generated files anew")
