//! The contract between the kernel programs and the host agent.
#![no_std]
