//! The daemon's life: starts and refusals to start, reloads, stops, and what its command line says.

mod bytes;
mod cli;
mod detach;
mod entering;
mod identity;
mod life;
mod nested;
mod upgrade;
