//! Rows of a decoder to the outside, over the buses of embedded-hal and the writers of embedded-io (feature `embedded-hal`): raw values, int16 ones in
//! the target's byte order, one transfer for each row, which is over before the next row is computed.
//!
//! A transfer that goes on meanwhile (DMA) needs two rows: the one that [`BoundDecoder::next_row`](crate::BoundDecoder::next_row) answers is copied to a
//! buffer whose last transfer is over, and sent from there.
//!
//! ```
//! use upconv::sink::Writer;
//! use upconv::{Decoder, Input, Nearest, Node, Shape, Upsample, must};
//!
//! static UP: Nearest = must!(Upsample::nearest(Shape::new(2, 1, 1), 1, 3));
//! static DECODER: Decoder<i8, 2> = must!(Decoder::plan([Node::whole(Shape::new(2, 1, 1)), UP.node(0)]));
//!
//! let (mut uart, mut row) = ([0u8; 6], [0; 3]);
//! DECODER.bind(&mut [Input::Whole(&[5, 7])], &mut [], &mut row).unwrap().send(&mut Writer(&mut uart[..])).unwrap();
//! assert_eq!(uart, [5, 5, 5, 7, 7, 7]);
//! ```

use crate::RowSink;
use bytemuck::{NoUninit, cast_slice};
use embedded_hal::i2c::{I2c, Operation};
use embedded_hal::spi::SpiDevice;
use embedded_io::Write;

/// Rows to a device on an SPI bus: one transaction, chip selected, for each row.
pub struct Spi<D>(
    /// The device; its driver has set the window that the rows go to.
    pub D,
);

impl<T: NoUninit, D: SpiDevice> RowSink<T> for Spi<D> {
    type Error = D::Error;

    fn row(&mut self, _y: usize, row: &[T]) -> Result<(), D::Error> {
        self.0.write(cast_slice(row))
    }
}

/// Rows to a device on an I2C bus: one transaction for each row.
pub struct Bus<I> {
    /// The bus.
    pub bus: I,
    /// The device's address.
    pub address: u8,
    /// What comes before the values of each row, such as a display's «data follow».
    pub control: u8,
}

impl<T: NoUninit, I: I2c> RowSink<T> for Bus<I> {
    type Error = I::Error;

    fn row(&mut self, _y: usize, row: &[T]) -> Result<(), I::Error> {
        let control = [self.control];
        self.bus.transaction(self.address, &mut [Operation::Write(&control), Operation::Write(cast_slice(row))])
    }
}

/// Rows to a writer: a UART, a file. The last byte has left when the last row is done.
pub struct Writer<W>(
    /// The writer.
    pub W,
);

impl<T: NoUninit, W: Write> RowSink<T> for Writer<W> {
    type Error = W::Error;

    fn row(&mut self, _y: usize, row: &[T]) -> Result<(), W::Error> {
        self.0.write_all(cast_slice(row))
    }

    fn end(&mut self) -> Result<(), W::Error> {
        self.0.flush()
    }
}
