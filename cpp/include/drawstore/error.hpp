// The exceptions that the library throws. The bindings map each to one Python exception, in one
// place (bindings/errors.cpp), so a message is written here once and read the same in both.
#pragma once

#include <stdexcept>
#include <string>

namespace drawstore {

class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// A value has the wrong shape, or an argument is out of its range. Python: ValueError.
class ValueError : public Error {
  public:
    using Error::Error;
};

// A value has a type that cannot be stored without changing it. Python: TypeError.
class TypeError : public Error {
  public:
    using Error::Error;
};

// There is no variable of that name. Python: KeyError.
class NameError : public Error {
  public:
    using Error::Error;
};

// The object is used in a way that its state does not allow: two writers at once, a full ring.
// Python: RuntimeError.
class StateError : public Error {
  public:
    using Error::Error;
};

// The system refused to read or to write: no space, no permission, no such file. Python: the
// OSError of that code.
class SystemError : public Error {
  public:
    SystemError(int code, const std::string& path, const std::string& what)
        : Error(what), code_(code), path_(path) {}

    int code() const noexcept { return code_; }  // errno
    const std::string& path() const noexcept { return path_; }

  private:
    int code_;
    std::string path_;
};

// Stored bytes are not what was written: damaged, cut off, of a newer version, or not ours at all.
// Python: ValueError.
class DataError : public ValueError {
  public:
    using ValueError::ValueError;
};

// The system refused memory. Python: MemoryError.
class MemoryError : public Error {
  public:
    using Error::Error;
};

}  // namespace drawstore
