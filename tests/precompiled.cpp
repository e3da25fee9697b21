// The library of the precompiled header has to have a source.
