// A module that no importer makes: its dimension has no name.
func.func @main(%x: tensor<?xf32> {hone.name = "x", hone.type = "float"})
    -> (tensor<?xf32> {hone.name = "y", hone.type = "float"}) {
  return %x : tensor<?xf32>
}
