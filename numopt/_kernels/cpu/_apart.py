"""Compile a large kernel once: kernels that call it jump to its code, where Numba would copy it into theirs.

A copy is optimised and translated anew, five times over in a loop of threads. LLVM puts no function of this size in the
place of its call, so nothing is lost; one row or many, one thread or more run the same machine code.

Numba has no public way to say so: addresses and functions passed as arguments are not cached. What is used of its
inside may be missing in another version, and then callers copy as ever: kernels only take longer to compile.
"""

import copy
import importlib
import sys
from contextlib import suppress
from functools import partial
from hashlib import sha256
from itertools import islice

from llvmlite import binding, ir
from numba import NumbaError, types

from numopt.exceptions import BackendError

_LARGE = 250  # instructions, several times what LLVM inlines


def apart(kernel):
    """Let compiled callers of `kernel` share its code, and its code serve all values of an integer.

    Numba compiles again for an argument that is written as a number, such as the 0 of a first row.
    """
    template = getattr(kernel, "get_call_template", None)
    if template:  # plain Python under NUMBA_DISABLE_JIT has none
        known = set()

        def shared(args, kws):
            args = [arg.literal_type if isinstance(arg, types.IntegerLiteral) else arg for arg in args]
            found = template(args, kws)
            for compiled in [x for x in kernel.overloads.values() if x.entry_point not in known]:
                known.add(compiled.entry_point)
                with suppress(Exception):  # whatever another Numba has to say
                    compiled.library._reload_init.update(compiled.reload_init)  # from the cache it comes without them
                    _set_apart(kernel, compiled)
            return found

        kernel.get_call_template = shared
    return kernel


def _set_apart(kernel, compiled):
    """Give callers a jump to the code of a compiled kernel in place of the code."""
    module, name = kernel.__module__, kernel.__name__
    function = compiled.library._get_module_for_linking().get_function(compiled.fndesc.llvm_func_name)
    size = sum(1 for _ in islice((line for block in function.blocks for line in block.instructions), _LARGE))
    if size < _LARGE or getattr(sys.modules[module], name, None) is not kernel:  # it must be found again by its name
        return
    context = compiled.target_context
    remove, insert = context.remove_user_function, context.insert_user_function
    there, jump = copy.copy(compiled.fndesc), copy.copy(compiled.fndesc)
    there.mangled_name = _published(compiled)
    jump.mangled_name = f"to.{there.mangled_name}"
    library = context.codegen().create_library(jump.mangled_name)
    code = library.create_ir_module(jump.mangled_name)
    source, target = (context.declare_function(code, described) for described in (jump, there))
    builder = ir.IRBuilder(source.append_basic_block())
    builder.ret(builder.call(target, source.args))
    library.add_ir_module(code)
    library._reload_init.add(partial(_load, module, name, compiled.signature.args, there.mangled_name))
    remove(compiled.entry_point)  # from here on nothing may be missing
    insert(compiled.entry_point, jump, [library])


def _load(module, name, args, published):
    """Before a caller comes from its cache: load, or compile, what it calls."""
    kernel, found = getattr(importlib.import_module(module), name), None
    with suppress(NumbaError):
        kernel.compile(args)
        found = _published(kernel.overloads[args])
    if found != published:  # Numba looks at the file of the caller alone
        raise BackendError(
            f"compiled code in {kernel.stats.cache_path} is older than {module}.{name}, which it calls: "
            "delete the files *.nbi and *.nbc there"
        )


def _published(compiled):
    """Make code known to the linker; return its name there, which tells the function and its types."""
    described = compiled.fndesc
    kind = sha256(f"{compiled.signature}".encode()).hexdigest()[:16]
    name = f"{described.modname}.{described.qualname}.{kind}"
    binding.add_symbol(name, compiled.library.get_pointer_to_function(described.llvm_func_name))
    return name
